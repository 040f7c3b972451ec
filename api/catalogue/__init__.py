"""The catalogue: what a spec may name, one path for each family of kinds.

Does not live here: the kinds themselves, their formulas and schemas, which all come from `regcore.spec`.
"""
