//! The recipes are embedded; a new file in them must rebuild this crate.
fn main() {
    println!("cargo:rerun-if-changed=recipes");
    println!("cargo:rerun-if-changed=build.rs");
}
