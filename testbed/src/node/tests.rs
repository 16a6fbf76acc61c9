#![allow(clippy::unwrap_used)]
use super::*;

fn at(folder: &str) -> Node {
    Node::first(&Paths::at(Path::new(folder), Path::new("/repo")))
}

#[test]
fn its_names_and_addresses_follow_from_the_folder() {
    let (one, other) = (at("/cache/testbed"), at("/other/testbed"));
    let again = at("/cache/testbed");
    assert_eq!((one.address, &one.interface, &one.cgroup), (again.address, &again.interface, &again.cgroup));
    assert_ne!(one.address, other.address);
    assert_ne!(one.interface, other.interface);
    assert_ne!(one.cgroup, other.cgroup);
}

#[test]
fn every_folder_has_addresses_for_tests_of_networks_and_a_name_that_the_kernel_takes() {
    for folder in 0..2000 {
        let node = at(&format!("/cache/{folder}"));
        let [a, b, _, last] = node.address.octets();
        assert_eq!((a, b, last % 16), (198, 19, 2), "{}", node.address);
        assert_eq!(u32::from(node.host_address) + 1, u32::from(node.address));
        // IFNAMSIZ with the zero at the end.
        assert!(node.interface.len() < 16, "{}", node.interface);
    }
}

#[test]
fn nothing_is_started_on_a_node_that_does_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::at(folder.path(), folder.path());
    let node = Node::first(&paths);
    let error = Process::new(&paths, "etcd").start_on(&node, Path::new("true"), &[]).unwrap_err();
    assert!(format!("{error:#}").contains("node1 does not run"), "{error:#}");
}

#[test]
fn a_process_is_not_taken_for_a_node_before_it_has_its_own_network() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::at(folder.path(), folder.path());
    let node = Node::first(&paths);
    node.first.start(Path::new("sleep"), &["600".to_owned()]).unwrap();
    assert_eq!(node.pid(), None);
    assert!(node.enter().is_err());
    node.remove().unwrap();
}

#[test]
fn a_list_of_hosts_without_a_proxy_gets_the_node_once() {
    let address = Ipv4Addr::new(198, 19, 0, 2);
    for (before, after) in [
        ("", Some("198.19.0.2")),
        ("localhost, .corp,", Some("localhost,.corp,198.19.0.2")),
        ("198.19.0.20", Some("198.19.0.20,198.19.0.2")),
        ("localhost,198.19.0.2", None),
        ("*", None),
    ] {
        assert_eq!(exempt(address, before).as_deref(), after, "{before:?}");
    }
}
