//! DNS records at Cloudflare, through its API v4.
