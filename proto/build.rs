//! Compiles the .proto files, in pure Rust: no `protoc` on the machine.

use std::error::Error;

const PROTOS: [&str; 2] = ["proto/tfplugin6.proto", "proto/plugin.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    for proto in PROTOS {
        println!("cargo::rerun-if-changed={proto}");
    }
    let descriptors = protox::compile(PROTOS, ["proto"])?;
    tonic_prost_build::configure()
        .build_server(true)
        .build_client(true)
        // A call that is not served answers Unimplemented, as the runner expects.
        .generate_default_stubs(true)
        .compile_fds(descriptors)?;
    Ok(())
}
