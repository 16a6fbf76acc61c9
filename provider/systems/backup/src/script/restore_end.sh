if [ -z "$why" ]; then swap; else in_place; fi
