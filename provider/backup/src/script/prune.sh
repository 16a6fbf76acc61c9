[ -z "${FFE_S3_URL:-}" ] || s3_ready
prune || fail storage "$warning"
finish "{\"outcome\":\"pruned\",\"pruned\":$pruned}"
