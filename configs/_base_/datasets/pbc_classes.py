# Peripheral blood cells, Acevedo et al. 2020 (Barcelona),
# doi:10.17632/snkd93bnjr.1, with its neutrophils by stage.
class_set = dict(
    classes=(
        *('BA', 'BNE', 'EO', 'ERB', 'LY', 'MMY', 'MO', 'MY', 'PLATELET'),
        *('PMY', 'SNE'),
    ),
    full_names=(
        *('Basophils', 'Band neutrophils', 'Eosinophils', 'Erythroblasts'),
        *('Lymphocytes', 'Metamyelocytes', 'Monocytes', 'Myelocytes'),
        *('Platelets', 'Promyelocytes', 'Segmented neutrophils'),
    ),
)
