//! How the program is linked.

fn main() {
    // Tens of thousands of relocations as some kilobytes instead of megabytes that each start reads (DT_RELR; glibc 2.36).
    println!("cargo:rustc-link-arg-bin=oriel=-Wl,-z,pack-relative-relocs");
    println!("cargo:rerun-if-changed=build.rs");
}
