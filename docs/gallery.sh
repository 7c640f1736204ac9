#!/usr/bin/env bash
# Trains every model for a minute or two and draws the pictures of gallery.md: `make gallery`, or `bash docs/gallery.sh NAME ...`.
set -euo pipefail
cd "$(dirname "$0")/.."
NACRE=${NACRE:-.venv/bin/nacre}
RUNS=${RUNS:-runs/gallery}
WANTED=" $* "

# model, verb that draws, data, then flags of `nacre train`
draw() {
  local name=$1 verb=$2 data=$3
  shift 3
  [[ $WANTED == "  " || $WANTED == *" $name "* ]] || return 0
  rm -rf "$RUNS/$name" "docs/gallery/$name.csv" "docs/gallery/$name.txt"
  "$NACRE" train "$name" "$data" --out "$RUNS/$name" --seed 0 --no-progress --doctor off "$@"
  case $verb in
    sample) "$NACRE" sample "$RUNS/$name" -n 36 --seed 0 --grid "docs/gallery/$name.png" ;;
    reconstruct) "$NACRE" reconstruct "$RUNS/$name" -n 16 --grid "docs/gallery/$name.png" ;;
    csv | txt) "$NACRE" sample "$RUNS/$name" -n 8 --seed 0 --out "docs/gallery/$name.$verb" ;;
  esac
}

FAST="--lr 1.5e-3 --schedule cosine --precision bf16 --threads 1"
AE="$FAST --batch-size 128 --steps 1500"
VAE="$AE --network dense --hidden 400 400 --activation gelu"
GAME="--lr 2e-3 --betas 0 0.99 --schedule cosine --precision bf16 --threads 1 --batch-size 64 --ema 0.99 --steps 1200"
CONV="$GAME --network conv --channels 16 --batch-norm generator"
R1="--penalty r1 --gamma 0.1 --lazy 4"

draw ae reconstruct mnist $AE --network dense --latent 16
draw stacked-ae reconstruct mnist $AE --hidden 500 100
draw denoising-ae reconstruct mnist $AE --activation relu
draw sparse-ae reconstruct mnist $AE
draw contractive-ae reconstruct mnist $AE --latent 500
draw vae sample mnist $VAE
draw conv-vae sample mnist $FAST --channels 16 --kl-warmup 0.1 --steps 900
draw iwae sample mnist $VAE
draw beta-tcvae sample mnist $VAE --beta 3
draw factor-vae sample mnist $VAE
draw vamp-vae sample mnist $VAE --pseudo-inputs 100
draw ladder-vae sample mnist $AE --hidden 400 400
draw vq-vae reconstruct mnist $AE
draw cvae sample mnist $VAE
draw attribute-vae sample mnist $VAE --attributes thickness slant
draw gan sample mnist $CONV $R1
draw lsgan sample mnist $CONV $R1
draw hinge-gan sample mnist $CONV --lazy 4
draw r3gan sample mnist $CONV --lazy 4
draw sngan sample mnist $CONV
draw pacgan sample mnist $CONV $R1
draw dcgan sample mnist $GAME --channels 16
draw wgan sample mnist --network conv --channels 16 --batch-norm generator --lr 5e-4 --precision bf16 --threads 1 --steps 800
draw wgan-gp sample mnist --network conv --channels 16 --lr 1e-3 --schedule cosine --precision bf16 --threads 1 --ema 0.99 --steps 600
draw cgan sample mnist $CONV $R1
draw acgan sample mnist $CONV $R1
draw projection-gan sample mnist $CONV
draw infogan sample mnist $CONV $R1
draw biggan sample mnist --channels 8 --n-critic 1 --embedding 32 --lr 1e-3 --schedule cosine --precision bf16 --threads 1 --batch-size 64 --ema 0.99 --steps 500
draw lapgan sample mnist $GAME --latent 32 --hidden 512 512 --channels 16
draw progressive-gan sample mnist --channels 8 --latent 64 --gamma 0.2 --lazy 8 --lr 8e-3 --schedule cosine --precision bf16 --threads 1 --batch-size 64 --ema 0.99 --steps 1200
draw rbm sample binarized-mnist --steps 5000
draw tabular-vae csv "${ADULT:-adult}" --steps 2000
draw lstm txt grammar --lr 2e-3 --schedule cosine --threads 1 --steps 1000
draw gs-gan txt grammar --lr 4e-3 --schedule cosine --threads 1 --steps 1500
