store_ready
prune || fail storage "$warning"
finish "{\"outcome\":\"pruned\",\"pruned\":$pruned}"
