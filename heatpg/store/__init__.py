"""One evolution, one HDF5 file."""
