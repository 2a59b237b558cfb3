#!/bin/sh
# Draws the exported pictures anew from their sources. Needs rsvg-convert (Debian: librsvg2-bin).
set -eu
cd "$(dirname "$0")"
draw() { rsvg-convert --width "$2" --height "$2" --output "$3" "$1"; }
draw icon.svg 512 icon.png
draw icon.svg 128 128x128.png
draw icon.svg 256 128x128@2x.png
draw icon.svg 32 32x32.png
for source in tray/*.svg; do
    draw "$source" 44 "${source%.svg}.png"
done
