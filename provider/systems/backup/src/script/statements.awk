# Between pg_restore and psql. `settings`: the parameters that the server knows, one a line; `open`: 1 where a
# transaction is to stay open at the end.
#
# pg_restore sets parameters that an older server does not know (transaction_timeout, which 17 brought): those go. And its
# first BEGIN and its last COMMIT go then, so that more can follow in it; those within (a function's body, a row) are not its last.
BEGIN { while ((getline name < settings) > 0) known[name] = 1 }
!begun && /^SET [a-z_]+ = / { if (!($2 in known)) next }
/^(COPY|CREATE|INSERT|ALTER|SELECT pg_catalog\.lo_) / { begun = 1 }
open && !begun && /^BEGIN;$/ { next }
open && /^COMMIT;$/ { flush(); held = $0; holding = 1; next }
holding && /^(--.*)?$/ { held = held "\n" $0; next }
holding && /^\\unrestrict / { unrestrict = $0; next }
{ flush(); print }
function flush() {
  if (holding) print held
  if (unrestrict != "") print unrestrict
  holding = 0
  unrestrict = ""
}
END { if (unrestrict != "") print unrestrict }
