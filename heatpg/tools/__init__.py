"""What knows nothing of heat: checks of arguments, values as JSON, registries, kernels, threads, processes, files."""
