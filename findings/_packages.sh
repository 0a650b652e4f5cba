# Sourced by the scripts: makes an environment in a temporary folder, which goes away with the script.
# Use: packages NAME==VERSION ... ; then "$python" is its interpreter, and the folder is the working directory.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

packages() {
    python3 -m venv "$folder/environment"
    python="$folder/environment/bin/python"
    "$python" -m pip install --quiet --disable-pip-version-check --no-warn-script-location "$@"
    cd "$folder"
}
