# Sourced by setup.sh and cross.sh. install_packages NAME...: Debian packages, installed where that is allowed; else one
# line to run is printed, and the script ends.
install_packages() {
    line="apt-get install -y --no-install-recommends $*"
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "tintype needs these Debian packages, or what your system calls them: $*" >&2
        exit 1
    fi
    if [ "$(id -u)" = 0 ]; then
        as_root=''
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root='sudo'
    else
        echo "tintype needs some packages. Please run this line, then make again:" >&2
        echo "    sudo $line" >&2
        exit 1
    fi
    echo "installing: $*" >&2
    # the lists may be missing or old: fetch them only when the first try fails
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    $as_root $line -qq >/dev/null 2>&1 || {
        $as_root apt-get update -qq
        $as_root $line -qq >/dev/null
    }
}
