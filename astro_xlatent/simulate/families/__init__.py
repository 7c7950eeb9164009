# Licensed under a 3-clause BSD style license - see LICENSE
"""
Physical families of X-ray sources, from which populations are mixed: functions of a `Draw` to a `Draft`.

References
----------
.. [A] Just et al. 2007, ApJ 665, 1004; Green et al. 2009, ApJ 690, 644 (photon index of quasars)
.. [B] Ueda et al. 2014, ApJ 786, 104; Buchner et al. 2015, ApJ 802, 89 (obscured fraction)
.. [C] Gupta et al. 2021, MNRAS 504, 428 (scattered fraction)
.. [D] Gierlinski & Done 2004, MNRAS 349, L7; Bianchi et al. 2009, A&A 495, 421 (soft excess)
.. [E] Bianchi et al. 2007, A&A 467, L19; Ricci et al. 2017, ApJS 233, 17 (Fe K, reflection)
.. [F] HI4PI collaboration 2016, A&A 594, A116 (Galactic column)
.. [G] Mukai 2017, PASP 129, 062001; Ezuka & Ishida 1999, ApJS 120, 277 (CVs)
.. [H] Heinke et al. 2005, ApJ 625, 796; Rivera Sandoval et al. 2018, MNRAS 475, 4841 (cluster CVs)
.. [I] Naze 2009, A&A 506, 1055; Naze et al. 2011, ApJS 194, 7 (OB stars)
.. [J] Skinner et al. 2010, AJ 139, 825; Rauw & Naze 2016, AdSpR 58, 761 (WR stars, colliding winds)
.. [K] Walter et al. 2015, A&ARv 23, 2; Gimenez-Garcia et al. 2015, A&A 576, A108 (HMXB, Fe K)
.. [L] Haberl & Sturm 2016, A&A 586, A81 (HMXB of the SMC)
.. [M] Schmitt & Liefke 2004, A&A 417, 651; Robrade & Schmitt 2005, A&A 435, 1073 (cool stars)
.. [N] Gudel & Naze 2009, A&ARv 17, 309; Johnstone & Gudel 2015, A&A 578, A129 (kT of active stars)
.. [O] Getman et al. 2005, ApJS 160, 319; Preibisch et al. 2005, ApJS 160, 401 (YSOs, COUP)
.. [P] Maggio et al. 2007, ApJ 660, 1462; Scelsi et al. 2007, A&A 468, 405 (YSO abundances)
.. [Q] Remillard & McClintock 2006, ARA&A 44, 49; Done et al. 2007, A&ARv 15, 1 (LMXB states)
.. [R] Heinke et al. 2003, ApJ 598, 501; Plotkin et al. 2013, ApJ 773, 59 (quiescent LMXB)
.. [S] Gentile et al. 2014, ApJ 783, 69; Bogdanov et al. 2006, ApJ 646, 1104 (spiders, MSPs)
.. [T] Kargaltsev & Pavlov 2008, AIPC 983, 171; Potekhin et al. 2020, MNRAS 496, 5052 (pulsars, PWNe)
.. [U] Olausen & Kaspi 2014, ApJS 212, 6; Haberl 2007, Ap&SS 308, 181 (magnetars, XDINS)
.. [V] Eckmiller et al. 2011, A&A 535, A105; Vikhlinin et al. 2006, ApJ 640, 691 (clusters, groups)
.. [W] Leonidaki et al. 2010, ApJ 725, 842; Gladstone et al. 2009, MNRAS 397, 1836 (SNR, ULX)
.. [X] Mineo et al. 2012, MNRAS 426, 1870; Kim & Fabbiano 2015, ApJ 812, 127 (hot gas of galaxies)
"""
