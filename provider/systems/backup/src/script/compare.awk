# Reads a manifest, and after it that of the database as it is now; prints what differs in rows, large objects or revisions.
# `others`: roles, one a line, whose tables are left out.
BEGIN { FS = "\t"; while ((getline role < others) > 0) theirs[role] = 1 }
FNR == 1 { file++ }
$1 == "table" && !($4 in theirs) { name = $2 "." $3; rows[file, name] = $5; if (file == 1) names[name] = 1 }
$1 == "revision" { name = $2 "." $3; found[file, name] = found[file, name] " " $4; if (file == 1) versions[name] = 1 }
$1 == "large_objects" && !($2 in theirs) { large[file] += $3 }
END {
  if (large[1] + 0 != large[2] + 0)
    print large[1] + 0 " large objects in the dump, " large[2] + 0 " after the restore"
  for (name in names) {
    now = (2, name) in rows ? rows[2, name] " rows" : "no table"
    if (now != rows[1, name] " rows") print name ": " rows[1, name] " rows in the dump, " now " after the restore"
  }
  for (name in versions)
    if (found[1, name] != found[2, name]) print name ":" found[1, name] " in the dump," found[2, name] " after the restore"
}
