"""How the cells of each class look, by the textbook."""

from dataclasses import dataclass, replace

Range = tuple[float, float]  # drawn from uniformly
Dyes = tuple[float, float, float]  # densities of nuclear dye, azure, eosin


@dataclass(frozen=True)
class CellLook:
    """How the cells of a class look; lengths are in pixels."""

    diameter: Range = (110, 150)
    nuclear_ratio: Range = (0.4, 0.5)  # nucleus's share of the cell's area
    nucleus: str = 'blob'  # or a key of LOBES or PAINTERS, or 'folded'
    indent: Range = (0.0, 0.05)  # depth of a blob's notch, in radii
    density: float = 1.0  # nuclear dye
    clumps: tuple = (0.1, 0.1, 0.05)  # chromatin: coarse, middle, fine
    nucleoli: int = 0  # at most
    cytoplasm: Dyes = (0.0, 0.3, 0.2)
    eccentric: float = 0.4  # nucleus offset, as a share of the free radius
    stretch: float = 1.15  # largest ratio of the axes
    halo: float = 0.0  # paleness of the zone beside the nucleus
    granules: tuple = ()  # kinds as (number, radius, dyes)
    covered: bool = False  # granules lie over the nucleus
    hairs: int = 0
    rods: int = 0  # Auer rods
    vacuoles: int = 0  # at most


# fmt: off
_NGS = CellLook(
    (105, 150), (0.28, 0.36), 'lobes', density=1.15, eccentric=0.2,
    clumps=(0.2, 0.15, 0), cytoplasm=(0.02, 0.06, 0.3),
    granules=((110, 1.6, (0.2, 0.1, 0.35)),))
_EOS = replace(
    _NGS, nucleus='bilobed', eccentric=0.6,
    cytoplasm=(0, 0.05, 0.6), granules=((230, 4.2, (0.03, 0, 1.45)),))
_LYT = CellLook(
    (76, 108), (0.72, 0.86), density=1.35, eccentric=0.5,
    clumps=(0.25, 0.1, 0), cytoplasm=(0, 0.35, 0.03))
LOOKS = {
    'ABE': replace(_EOS, granules=(
        (170, 4.2, (0.03, 0, 1.45)), (45, 5.5, (1.2, 0.6, 0.1)))),
    'ART': CellLook(nucleus='artefact'),
    'BAS': replace(
        _NGS, nuclear_ratio=(0.3, 0.42), nucleus='bilobed',
        density=0.75, cytoplasm=(0.05, 0.15, 0.25), covered=True,
        granules=((75, 6.0, (1.5, 0.9, 0)),)),
    'BLA': CellLook(
        (125, 170), (0.74, 0.86), density=0.75, nucleoli=4,
        clumps=(0, 0.04, 0.1), cytoplasm=(0.03, 0.6, 0), stretch=1.2),
    'EBO': CellLook(
        (80, 125), (0.24, 0.42), density=1.75, eccentric=0.3,
        clumps=(0.15, 0.05, 0), cytoplasm=(0.08, 0.25, 0.4), stretch=1.1),
    'EOS': _EOS,
    'FGC': CellLook(
        (135, 175), (0.42, 0.55), indent=(0.2, 0.5), density=0.85,
        cytoplasm=(0.05, 0.2, 0.3), eccentric=0.8, rods=26,
        granules=((90, 2.0, (0.6, 0.1, 0.4)),)),
    'HAC': replace(
        _LYT, diameter=(92, 125), nuclear_ratio=(0.42, 0.56),
        density=1.1, cytoplasm=(0, 0.5, 0.08), hairs=34),
    'KSC': CellLook(nucleus='smudge'),
    'LYI': replace(
        _LYT, diameter=(98, 130), nuclear_ratio=(0.76, 0.88),
        indent=(0.15, 0.4), density=1.0, clumps=(0.14, 0.08, 0.04),
        nucleoli=2, cytoplasm=(0, 0.65, 0)),
    'LYT': _LYT,
    'MMZ': CellLook(
        (115, 155), (0.36, 0.46), indent=(0.55, 0.75), eccentric=0.55,
        clumps=(0.18, 0.15, 0), cytoplasm=(0.03, 0.12, 0.32),
        granules=((130, 1.7, (0.25, 0.1, 0.35)),)),
    'MON': CellLook(
        (135, 180), (0.42, 0.54), 'folded', (0.35, 0.65), 0.85,
        (0.12, 0.25, 0.05), cytoplasm=(0.04, 0.42, 0.15), stretch=1.25,
        vacuoles=9),
    'MYB': CellLook(
        (125, 165), (0.38, 0.48), density=0.95, eccentric=0.9,
        clumps=(0.15, 0.15, 0.03), cytoplasm=(0.05, 0.25, 0.3), halo=0.3,
        granules=((190, 2.0, (0.4, 0.15, 0.3)),)),
    'NGB': replace(_NGS, nucleus='band'),
    'NGS': _NGS,
    'NIF': CellLook(nucleus='unclear'),
    'OTH': CellLook(nucleus='other'),
    'PEB': CellLook(
        (135, 180), (0.52, 0.64), density=0.95, nucleoli=2,
        clumps=(0.05, 0.1, 0.08), cytoplasm=(0.15, 1.35, 0), eccentric=0.3,
        stretch=1.08, halo=0.15),
    'PLM': CellLook(
        (105, 150), (0.26, 0.36), density=1.3, clumps=(0.45, 0.05, 0),
        cytoplasm=(0.08, 1.1, 0.08), eccentric=1.0, stretch=1.45, halo=0.75),
    'PMO': CellLook(
        (145, 185), (0.48, 0.62), density=0.8, nucleoli=2,
        clumps=(0.03, 0.08, 0.1), cytoplasm=(0.08, 0.5, 0.1), eccentric=0.8,
        halo=0.4, granules=((190, 2.3, (1.0, 0.1, 0.35)),), covered=True),
}
# fmt: on
LOBES = {'band': 1, 'bilobed': 2, 'lobes': 0}  # 0: three to five
# The classes seen beside another cell.
BESIDE = ('LYT', 'EBO', 'NGS', 'BLA', 'PMO', 'MYB', 'MON', 'NGB')
