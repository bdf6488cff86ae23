#!/bin/sh
# Step 1: the index of the reference genome, in the working folder.
set -eu
examples=/usr/share/doc/bowtie2/examples
mkdir -p index parts
gzip -dc "$examples/reference/lambda_virus.fa.gz" > index/lambda.fa
bowtie2-build --quiet index/lambda.fa index/lambda
echo "indexed $(grep -c '^>' index/lambda.fa) sequence"
