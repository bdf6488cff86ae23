#!/bin/sh
# Step 2: aligns every n-th read, as child i of an array of n; without an array all reads. The results are parts/*.bam.
set -eu
examples=/usr/share/doc/bowtie2/examples
index=${AWS_BATCH_JOB_ARRAY_INDEX:-0}
size=${AWS_BATCH_JOB_ARRAY_SIZE:-1}
folder=$(mktemp -d "parts/$index.XXXXXX")
trap 'rm -r "$folder"' EXIT

# A read is four lines; the reads of a pair have the same place in their two files.
share() {
    gzip -dc "$examples/reads/$1.fq.gz" |
        awk -v index_="$index" -v size="$size" 'int((NR - 1) / 4) % size == index_' > "$folder/$1.fq"
}
share reads_1
share reads_2
share longreads

echo "child $index of $size: pairs"
bowtie2 --threads "${THREADS:-1}" -x index/lambda -1 "$folder/reads_1.fq" -2 "$folder/reads_2.fq" -S "$folder/pairs.sam"
echo "child $index of $size: long reads"
bowtie2 --threads "${THREADS:-1}" --local -x index/lambda -U "$folder/longreads.fq" -S "$folder/long.sam"

# Renamed when whole, so that a second attempt after a crash never leaves half a file.
for kind in pairs long; do
    samtools sort -o "$folder/$kind.bam" "$folder/$kind.sam"
    mv "$folder/$kind.bam" "parts/$kind.$index.bam"
done
