//! What every resource that looks at one cluster keeps beside its state.

use tfplugin::Private;

const CLUSTER: &str = "cluster";
const SERVER: &str = "server";
const TAKEN_OVER: &str = "take_over";

/// The UID of the cluster's namespace kube-system.
pub fn cluster(private: &Private) -> Option<String> {
    private.get(CLUSTER)
}

/// The URL at which it was reached, for messages.
pub fn server(private: &Private) -> Option<String> {
    private.get(SERVER)
}

/// Notes both.
pub fn set_cluster(private: &mut Private, uid: &str, server: &str) {
    private.set(CLUSTER, &uid);
    private.set(SERVER, &server);
}

/// Whether an import found something of somebody else, which the next apply takes over.
pub fn taken_over(private: &Private) -> bool {
    private.get(TAKEN_OVER).unwrap_or(false)
}

/// Notes that it did, or did not.
pub fn set_taken_over(private: &mut Private, take_over: bool) {
    if take_over { private.set(TAKEN_OVER, &true) } else { private.remove(TAKEN_OVER) }
}
