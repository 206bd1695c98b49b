"""The 21 classes of the Matek et al. collection, in one fixed order.

Matek et al. 2021, Blood 138(20):1917-1927; TCIA, doi:10.7937/TCIA.AXH3-T579.
The supports are the release's, as in the paper's Table 1.
"""

_TABLE = (
    ('ABE', 'Abnormal eosinophils', 8),
    ('ART', 'Artefacts', 19630),
    ('BAS', 'Basophils', 441),
    ('BLA', 'Blasts', 11973),
    ('EBO', 'Erythroblasts', 27395),
    ('EOS', 'Eosinophils', 5883),
    ('FGC', 'Faggot cells', 47),
    ('HAC', 'Hairy cells', 409),
    ('KSC', 'Smudge cells', 42),
    ('LYI', 'Immature lymphocytes', 65),
    ('LYT', 'Lymphocytes', 26242),
    ('MMZ', 'Metamyelocytes', 3055),
    ('MON', 'Monocytes', 4040),
    ('MYB', 'Myelocytes', 6557),
    ('NGB', 'Band Neutrophils', 9968),
    ('NGS', 'Segmented neutrophils', 29424),
    ('NIF', 'Not identifiable', 3538),
    ('OTH', 'Other cells', 294),
    ('PEB', 'Proerythroblasts', 2740),
    ('PLM', 'Plasma cells', 7629),
    ('PMO', 'Promyelocytes', 11994),
)

CLASSES, FULL_NAMES, SUPPORTS = zip(*_TABLE, strict=True)
