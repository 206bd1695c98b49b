"""Why a cell was predicted so."""
