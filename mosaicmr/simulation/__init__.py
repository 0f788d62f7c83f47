"""Brains that no patient has: anatomy, contrast, tumour, phantom patients, and slices drawn at random.

`phantom` simulates a whole patient in three dimensions: a deformed `anatomy`, a tumour by `tumour_growth`, signals by
`contrast`. `random_slice` draws endless slices in two dimensions, from `healthy_slice`, `tumour_slice` and
`slice_images`. Both mix tissue by `tissue`, take their textures from `noise` and pass the same `scanner`.
"""
