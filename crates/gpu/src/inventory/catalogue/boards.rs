//! Video memory of boards without a table of slices, where one PCI device id stands for one size. Sources: the makers' data sheets;
//! a test compares every id with the name in the PCI ID database. Ids that were sold with several sizes (Polaris, Navi 31) are left out.

/// Vendor, device, GiB, and a word of the database's name.
pub(super) const BOARDS: &[(u16, u16, u64, &str)] = &[
    // NVIDIA, Kepler to Pascal.
    (0x10de, 0x102d, 12, "K80"),
    (0x10de, 0x1b80, 8, "GTX 1080"),
    (0x10de, 0x1b81, 8, "GTX 1070"),
    (0x10de, 0x1b06, 11, "GTX 1080 Ti"),
    (0x10de, 0x1bb0, 16, "P5000"),
    (0x10de, 0x1bb1, 8, "P4000"),
    (0x10de, 0x1c30, 5, "P2000"),
    (0x10de, 0x1b30, 24, "P6000"),
    // Turing.
    (0x10de, 0x1e02, 24, "TITAN RTX"),
    (0x10de, 0x1e04, 11, "RTX 2080 Ti"),
    (0x10de, 0x1e07, 11, "RTX 2080 Ti"),
    (0x10de, 0x1e82, 8, "RTX 2080"),
    (0x10de, 0x1e87, 8, "RTX 2080"),
    (0x10de, 0x1f02, 8, "RTX 2070"),
    (0x10de, 0x1eb1, 8, "RTX 4000"),
    (0x10de, 0x1eb0, 16, "RTX 5000"),
    // Ampere.
    (0x10de, 0x2204, 24, "RTX 3090"),
    (0x10de, 0x2206, 10, "RTX 3080"),
    (0x10de, 0x2484, 8, "RTX 3070"),
    (0x10de, 0x2230, 48, "A6000"),
    (0x10de, 0x2231, 24, "A5000"),
    (0x10de, 0x24b0, 16, "A4000"),
    // Ada.
    (0x10de, 0x2684, 24, "RTX 4090"),
    (0x10de, 0x2704, 16, "RTX 4080"),
    (0x10de, 0x26b1, 48, "RTX 6000 Ada"),
    // Blackwell.
    (0x10de, 0x2bb5, 96, "RTX PRO 6000 Blackwell"),
    // AMD. A board with two GPUs has so much on each.
    (0x1002, 0x6929, 8, "S7150"),
    (0x1002, 0x687f, 8, "Vega"),
    (0x1002, 0x66af, 16, "Radeon VII"),
    (0x1002, 0x73bf, 16, "6800"),
    (0x1002, 0x73a3, 32, "W6800"),
    (0x1002, 0x7460, 28, "V710"),
    // Intel's cards.
    (0x8086, 0x56c0, 16, "Flex"),
    (0x8086, 0x56c1, 6, "Flex"),
];
