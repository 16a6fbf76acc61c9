store_ready
prune || fail storage "$warning"
[ -z "$warning" ] || say "note: $warning"
finish "{\"outcome\":\"pruned\",\"pruned\":$pruned}"
