#!/bin/sh
# The browser of the browser tests: Debian's. Installs it where that is allowed, otherwise says what to install.
set -eu
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done
as_root=""
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then as_root="sudo -n"; else
    echo "The browser tests need Chromium: install it (Debian: apt-get install chromium) and run this again." >&2
    exit 1
  fi
fi
command -v apt-get >/dev/null 2>&1 || { echo "The browser tests need Chromium: install it with your system's package manager." >&2; exit 1; }
echo "Installing Chromium for the browser tests ..."
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends chromium fonts-noto-core >/dev/null
