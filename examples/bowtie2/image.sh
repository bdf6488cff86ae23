#!/bin/sh
# Makes the image batchyard/bowtie2 (or $1) from this machine's own Debian packages: no registry, no download.
# With `--tar FILE` only writes the file that `docker import` takes.
set -eu

fail() {
    echo "image.sh: $*" >&2
    exit 1
}

tar=
if [ "${1:-}" = --tar ]; then
    tar=${2:?--tar needs a file}
fi
image=${1:-batchyard/bowtie2}

# What the jobs call: the tools, and the shell and text tools of their scripts. perl and python3 run bowtie2's wrappers.
programs="bowtie2 bowtie2-examples samtools perl python3 dash coreutils grep gzip mawk sed base-files"
dpkg-query -W $programs > /dev/null 2>&1 || fail "missing packages; apt-get install $programs"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Those packages and what they depend on, as far as it is installed.
apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances $programs | sed -n 's/^\([a-z0-9][^: ]*\).*/\1/p' | sort -u > "$folder/packages"
dpkg-query -L $(cat "$folder/packages") 2> /dev/null > "$folder/listed" || true

# Every path is written where it really lies: /bin/sh is listed, /usr/bin/sh is where the file is.
listed=none
sort -u "$folder/listed" | while IFS= read -r path; do
    case $path in
    /usr/share/man/* | /usr/share/locale/* | /usr/share/lintian/*) continue ;;
    /usr/share/doc/bowtie2/examples/*) ;;
    /usr/share/doc/*) continue ;;
    esac
    if [ -L "$path" ] || [ -f "$path" ]; then
        if [ "${path%/*}" != "$listed" ]; then
            listed=${path%/*}
            real=$(readlink -f "$listed/")
        fi
        echo "$real/${path##*/}"
    fi
done > "$folder/files"

# The libraries that the programs ask for, in case they come from elsewhere.
while IFS= read -r path; do
    if [ -x "$path" ] && [ ! -L "$path" ]; then
        ldd "$path" 2> /dev/null | sed -n 's/.*\(=> \|^\t\)\(\/[^ ]*\) (0x.*/\2/p'
    fi
done < "$folder/files" | sort -u | while IFS= read -r library; do
    echo "$(readlink -f "${library%/*}/")/${library##*/}"
    readlink -f "$library"
done >> "$folder/files"

# Links of the alternatives, and the links that make /bin the same as /usr/bin.
for link in /usr/bin/awk /etc/alternatives/awk /bin /sbin /lib /lib64; do
    if [ -L "$link" ]; then echo "$link"; fi
done >> "$folder/files"

mkdir -p "$folder/root/tmp" "$folder/root/proc" "$folder/root/dev" "$folder/root/etc"
chmod 1777 "$folder/root/tmp"
printf 'root:x:0:0:root:/root:/bin/sh\n' > "$folder/root/etc/passwd"
printf 'root:x:0:\n' > "$folder/root/etc/group"

sort -u "$folder/files" | sed "s,^/*,," | sort -u > "$folder/list"
tar --create --file "$folder/image.tar" --no-recursion --directory / --verbatim-files-from --files-from "$folder/list"
tar --append --file "$folder/image.tar" --directory "$folder/root" tmp proc dev etc/passwd etc/group

if [ -n "$tar" ]; then
    mv "$folder/image.tar" "$tar"
    exit
fi
docker import --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' --change 'ENV LC_ALL=C' "$folder/image.tar" "$image"
