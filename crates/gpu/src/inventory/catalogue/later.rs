//! NVIDIA's cards from Pascal on.

use super::{APPS, Card, EIGHT, FIVE, Type, UHD, of};

/// A card whose slices are mediated devices of its physical function.
const PLAIN: Card =
    Card { devices: &[], subsystems: &[], name: "", memory_mib: 0, most: 32, sriov: false, types: &[], mixed: &[] };
/// A card whose slices sit on virtual functions.
const SRIOV: Card = Card { sriov: true, ..PLAIN };

pub(super) const CARDS: &[Card] = &[
    Card { devices: &[0x1bb3], name: "P4", memory_mib: 8 << 10, types: P4, ..PLAIN },
    Card { devices: &[0x1bb4], name: "P6", memory_mib: 16 << 10, types: P6, ..PLAIN },
    Card { devices: &[0x1b38], name: "P40", memory_mib: 24 << 10, types: P40, ..PLAIN },
    Card { devices: &[0x1eb8], name: "T4", memory_mib: 16 << 10, types: T4, ..PLAIN },
    Card {
        devices: &[0x1e30],
        subsystems: &[0x129e, 0x13d8],
        name: "RTX8000",
        memory_mib: 48 << 10,
        types: RTX8000,
        ..PLAIN
    },
    Card { devices: &[0x1e30], name: "RTX6000", memory_mib: 24 << 10, types: RTX6000, ..PLAIN },
    Card { devices: &[0x2236], name: "A10", memory_mib: 24 << 10, types: A10, ..SRIOV },
    Card { devices: &[0x25b6], subsystems: &[0x157e], name: "A2", memory_mib: 16 << 10, most: 16, types: A2, ..SRIOV },
    Card { devices: &[0x25b6], name: "A16", memory_mib: 16 << 10, most: 16, types: A16, mixed: A16_MIXED, ..SRIOV },
    Card { devices: &[0x2235], name: "A40", memory_mib: 48 << 10, types: A40, ..SRIOV },
    Card { devices: &[0x27b8], name: "L4", memory_mib: 24 << 10, types: L4, ..SRIOV },
    Card { devices: &[0x26b5], name: "L40", memory_mib: 48 << 10, types: L40, ..SRIOV },
    Card { devices: &[0x26b9], name: "L40S", memory_mib: 48 << 10, types: L40S, mixed: L40S_MIXED, ..SRIOV },
    Card { devices: &[0x20b0, 0x20f1], name: "A100", memory_mib: 40 << 10, most: 10, types: A100, ..SRIOV },
    Card { devices: &[0x20b5], name: "A100D", memory_mib: 80 << 10, most: 20, types: A100D, ..SRIOV },
    Card { devices: &[0x2331], name: "H100", memory_mib: 80 << 10, most: 20, types: H100, ..SRIOV },
    Card { devices: &[0x2330], name: "H100XM", memory_mib: 80 << 10, most: 20, types: H100, ..SRIOV },
];

/// One GPU of an A16: the IDs for mixed sizes are those for equal sizes.
const A16_MIXED: &[(u64, &[u8])] = &[
    (16, &[0]),
    (8, &[0, 8]),
    (4, &[0, 4, 8, 12]),
    (2, &[0, 2, 4, 6, 8, 10, 12, 14]),
    (1, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
];

/// Mixing sizes costs room: 16 rather than 24 of 2 GiB.
const L40S_MIXED: &[(u64, &[u8])] = &[
    (48, &[0]),
    (24, &[0, 24]),
    (16, &[0, 32]),
    (12, &[0, 12, 24, 36]),
    (8, &[0, 16, 24, 40]),
    (6, &[0, 6, 12, 18, 24, 30, 36, 42]),
    (4, &[0, 8, 12, 20, 24, 32, 36, 44]),
    (3, &[0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42, 45]),
    (2, &[0, 4, 6, 10, 12, 16, 18, 22, 24, 28, 30, 34, 36, 40, 42, 46]),
    (1, &[0, 5, 6, 11, 12, 17, 18, 23, 24, 29, 30, 35, 36, 41, 42, 47]),
];

#[rustfmt::skip]
const P4: &[Type] = &[
    of("8Q", 66, 4, EIGHT), of("4Q", 65, 4, EIGHT), of("2Q", 64, 4, EIGHT), of("1Q", 63, 4, FIVE),
    of("2B", 157, 4, FIVE), of("2B4", 214, 4, FIVE), of("1B", 71, 4, FIVE), of("1B4", 243, 4, FIVE),
    of("8C", 289, 1, UHD), of("4C", 288, 1, UHD),
    of("8A", 70, 1, APPS), of("4A", 69, 1, APPS), of("2A", 68, 1, APPS), of("1A", 67, 1, APPS),
];

#[rustfmt::skip]
const P6: &[Type] = &[
    of("16Q", 76, 4, EIGHT), of("8Q", 75, 4, EIGHT), of("4Q", 74, 4, EIGHT), of("2Q", 73, 4, EIGHT), of("1Q", 72, 4, FIVE),
    of("2B", 158, 4, FIVE), of("2B4", 216, 4, FIVE), of("1B", 82, 4, FIVE), of("1B4", 242, 4, FIVE),
    of("16C", 292, 1, UHD), of("8C", 291, 1, UHD), of("4C", 290, 1, UHD),
    of("16A", 81, 1, APPS), of("8A", 80, 1, APPS), of("4A", 79, 1, APPS), of("2A", 78, 1, APPS), of("1A", 77, 1, APPS),
];

#[rustfmt::skip]
const P40: &[Type] = &[
    of("24Q", 53, 4, EIGHT), of("12Q", 52, 4, EIGHT), of("8Q", 51, 4, EIGHT), of("6Q", 50, 4, EIGHT), of("4Q", 49, 4, EIGHT),
    of("3Q", 48, 4, EIGHT), of("2Q", 47, 4, EIGHT), of("1Q", 46, 4, FIVE),
    of("2B", 156, 4, FIVE), of("2B4", 215, 4, FIVE), of("1B", 62, 4, FIVE), of("1B4", 241, 4, FIVE),
    of("24C", 287, 1, UHD), of("12C", 286, 1, UHD), of("8C", 285, 1, UHD), of("6C", 284, 1, UHD), of("4C", 283, 1, UHD),
    of("24A", 61, 1, APPS), of("12A", 60, 1, APPS), of("8A", 59, 1, APPS), of("6A", 58, 1, APPS), of("4A", 57, 1, APPS),
    of("3A", 56, 1, APPS), of("2A", 55, 1, APPS), of("1A", 54, 1, APPS),
];

#[rustfmt::skip]
const T4: &[Type] = &[
    of("16Q", 234, 4, EIGHT), of("8Q", 233, 4, EIGHT), of("4Q", 232, 4, EIGHT), of("2Q", 231, 4, EIGHT), of("1Q", 230, 4, FIVE),
    of("2B", 223, 4, FIVE), of("2B4", 224, 4, FIVE), of("1B", 222, 4, FIVE), of("1B4", 252, 4, FIVE),
    of("16C", 321, 1, UHD), of("8C", 320, 1, UHD), of("4C", 319, 1, UHD),
    of("16A", 229, 1, APPS), of("8A", 228, 1, APPS), of("4A", 227, 1, APPS), of("2A", 226, 1, APPS), of("1A", 225, 1, APPS),
];

#[rustfmt::skip]
const RTX6000: &[Type] = &[
    of("24Q", 263, 4, EIGHT), of("12Q", 262, 4, EIGHT), of("8Q", 261, 4, EIGHT), of("6Q", 260, 4, EIGHT), of("4Q", 259, 4, EIGHT),
    of("3Q", 258, 4, EIGHT), of("2Q", 257, 4, EIGHT), of("1Q", 256, 4, FIVE),
    of("2B", 436, 4, FIVE), of("1B", 435, 4, FIVE),
    of("24C", 347, 1, UHD), of("12C", 346, 1, UHD), of("8C", 345, 1, UHD), of("6C", 344, 1, UHD), of("4C", 343, 1, UHD),
    of("24A", 444, 1, APPS), of("12A", 443, 1, APPS), of("8A", 442, 1, APPS), of("6A", 441, 1, APPS), of("4A", 440, 1, APPS),
    of("3A", 439, 1, APPS), of("2A", 438, 1, APPS), of("1A", 437, 1, APPS),
];

#[rustfmt::skip]
const RTX8000: &[Type] = &[
    of("48Q", 273, 4, EIGHT), of("24Q", 272, 4, EIGHT), of("16Q", 271, 4, EIGHT), of("12Q", 270, 4, EIGHT), of("8Q", 269, 4, EIGHT),
    of("6Q", 268, 4, EIGHT), of("4Q", 267, 4, EIGHT), of("3Q", 266, 4, EIGHT), of("2Q", 265, 4, EIGHT), of("1Q", 264, 4, FIVE),
    of("2B", 446, 4, FIVE), of("1B", 445, 4, FIVE),
    of("48C", 354, 1, UHD), of("24C", 353, 1, UHD), of("16C", 352, 1, UHD), of("12C", 351, 1, UHD), of("8C", 350, 1, UHD),
    of("6C", 349, 1, UHD), of("4C", 348, 1, UHD),
    of("48A", 456, 1, APPS), of("24A", 455, 1, APPS), of("16A", 454, 1, APPS), of("12A", 453, 1, APPS), of("8A", 452, 1, APPS),
    of("6A", 451, 1, APPS), of("4A", 450, 1, APPS), of("3A", 449, 1, APPS), of("2A", 448, 1, APPS), of("1A", 447, 1, APPS),
];

#[rustfmt::skip]
const A10: &[Type] = &[
    of("24Q", 597, 4, EIGHT), of("12Q", 596, 4, EIGHT), of("8Q", 595, 4, EIGHT), of("6Q", 594, 4, EIGHT), of("4Q", 593, 4, EIGHT),
    of("3Q", 592, 4, EIGHT), of("2Q", 591, 4, EIGHT), of("1Q", 590, 4, FIVE),
    of("2B", 589, 4, FIVE), of("1B", 588, 4, FIVE),
    of("24C", 614, 1, UHD), of("12C", 613, 1, UHD), of("8C", 612, 1, UHD), of("6C", 611, 1, UHD), of("4C", 610, 1, UHD),
    of("24A", 605, 1, APPS), of("12A", 604, 1, APPS), of("8A", 603, 1, APPS), of("6A", 602, 1, APPS), of("4A", 601, 1, APPS),
    of("3A", 600, 1, APPS), of("2A", 599, 1, APPS), of("1A", 598, 1, APPS),
];

#[rustfmt::skip]
const A2: &[Type] = &[
    of("16Q", 748, 4, EIGHT), of("8Q", 747, 4, EIGHT), of("4Q", 746, 4, EIGHT), of("2Q", 745, 4, EIGHT), of("1Q", 744, 4, FIVE),
    of("2B", 743, 4, FIVE), of("1B", 742, 4, FIVE),
    of("16C", 756, 1, UHD), of("8C", 755, 1, UHD), of("4C", 754, 1, UHD),
    of("16A", 753, 1, APPS), of("8A", 752, 1, APPS), of("4A", 751, 1, APPS), of("2A", 750, 1, APPS), of("1A", 749, 1, APPS),
];

#[rustfmt::skip]
const A16: &[Type] = &[
    of("16Q", 715, 4, EIGHT), of("8Q", 714, 4, EIGHT), of("4Q", 713, 4, EIGHT), of("2Q", 712, 4, EIGHT), of("1Q", 711, 4, FIVE),
    of("2B", 710, 4, FIVE), of("1B", 709, 4, FIVE),
    of("16C", 723, 1, UHD), of("8C", 722, 1, UHD), of("4C", 721, 1, UHD),
    of("16A", 720, 1, APPS), of("8A", 719, 1, APPS), of("4A", 718, 1, APPS), of("2A", 717, 1, APPS), of("1A", 716, 1, APPS),
];

#[rustfmt::skip]
const A40: &[Type] = &[
    of("48Q", 566, 4, EIGHT), of("24Q", 565, 4, EIGHT), of("16Q", 564, 4, EIGHT), of("12Q", 563, 4, EIGHT), of("8Q", 562, 4, EIGHT),
    of("6Q", 561, 4, EIGHT), of("4Q", 560, 4, EIGHT), of("3Q", 559, 4, EIGHT), of("2Q", 558, 4, EIGHT), of("1Q", 557, 4, FIVE),
    of("2B", 556, 4, FIVE), of("1B", 555, 4, FIVE),
    of("48C", 587, 1, UHD), of("24C", 586, 1, UHD), of("16C", 585, 1, UHD), of("12C", 584, 1, UHD), of("8C", 583, 1, UHD),
    of("6C", 582, 1, UHD), of("4C", 581, 1, UHD),
    of("48A", 576, 1, APPS), of("24A", 575, 1, APPS), of("16A", 574, 1, APPS), of("12A", 573, 1, APPS), of("8A", 572, 1, APPS),
    of("6A", 571, 1, APPS), of("4A", 570, 1, APPS), of("3A", 569, 1, APPS), of("2A", 568, 1, APPS), of("1A", 567, 1, APPS),
];

/// Ada's numbers are in the host's own list; two of the L40S are known from elsewhere.
#[rustfmt::skip]
const L4: &[Type] = &[
    of("24Q", 0, 4, EIGHT), of("12Q", 0, 4, EIGHT), of("8Q", 0, 4, EIGHT), of("6Q", 0, 4, EIGHT), of("4Q", 0, 4, EIGHT),
    of("3Q", 0, 4, EIGHT), of("2Q", 0, 4, EIGHT), of("1Q", 0, 4, FIVE), of("2B", 0, 4, FIVE), of("1B", 0, 4, FIVE),
    of("24C", 0, 1, UHD), of("12C", 0, 1, UHD), of("8C", 0, 1, UHD), of("6C", 0, 1, UHD), of("4C", 0, 1, UHD),
    of("24A", 0, 1, APPS), of("12A", 0, 1, APPS), of("8A", 0, 1, APPS), of("6A", 0, 1, APPS), of("4A", 0, 1, APPS),
    of("3A", 0, 1, APPS), of("2A", 0, 1, APPS), of("1A", 0, 1, APPS),
];

#[rustfmt::skip]
const L40: &[Type] = &[
    of("48Q", 0, 4, EIGHT), of("24Q", 0, 4, EIGHT), of("16Q", 0, 4, EIGHT), of("12Q", 0, 4, EIGHT), of("8Q", 0, 4, EIGHT),
    of("6Q", 0, 4, EIGHT), of("4Q", 0, 4, EIGHT), of("3Q", 0, 4, EIGHT), of("2Q", 0, 4, EIGHT), of("1Q", 0, 4, FIVE),
    of("2B", 0, 4, FIVE), of("1B", 0, 4, FIVE),
    of("48A", 0, 1, APPS), of("24A", 0, 1, APPS), of("16A", 0, 1, APPS), of("12A", 0, 1, APPS), of("8A", 0, 1, APPS),
    of("6A", 0, 1, APPS), of("4A", 0, 1, APPS), of("3A", 0, 1, APPS), of("2A", 0, 1, APPS), of("1A", 0, 1, APPS),
];

#[rustfmt::skip]
const L40S: &[Type] = &[
    of("48Q", 0, 4, EIGHT), of("24Q", 0, 4, EIGHT), of("16Q", 0, 4, EIGHT), of("12Q", 0, 4, EIGHT), of("8Q", 0, 4, EIGHT),
    of("6Q", 0, 4, EIGHT), of("4Q", 0, 4, EIGHT), of("3Q", 0, 4, EIGHT), of("2Q", 1148, 4, EIGHT), of("1Q", 1147, 4, FIVE),
    of("2B", 0, 4, FIVE), of("1B", 0, 4, FIVE),
    of("48C", 0, 1, UHD), of("24C", 0, 1, UHD), of("16C", 0, 1, UHD), of("12C", 0, 1, UHD), of("8C", 0, 1, UHD),
    of("6C", 0, 1, UHD), of("4C", 0, 1, UHD),
    of("48A", 0, 1, APPS), of("24A", 0, 1, APPS), of("16A", 0, 1, APPS), of("12A", 0, 1, APPS), of("8A", 0, 1, APPS),
    of("6A", 0, 1, APPS), of("4A", 0, 1, APPS), of("3A", 0, 1, APPS), of("2A", 0, 1, APPS), of("1A", 0, 1, APPS),
];

#[rustfmt::skip]
const A100: &[Type] = &[
    of("40C", 473, 1, UHD), of("20C", 472, 1, UHD), of("10C", 471, 1, UHD), of("8C", 470, 1, UHD), of("5C", 469, 1, UHD),
    of("4C", 468, 1, UHD),
    of("7-40C", 478, 1, UHD), of("4-20C", 477, 1, UHD), of("3-20C", 476, 1, UHD), of("2-10C", 475, 1, UHD),
    of("1-5C", 474, 1, UHD), of("1-5CME", 706, 1, UHD),
];

#[rustfmt::skip]
const A100D: &[Type] = &[
    of("80C", 698, 1, UHD), of("40C", 697, 1, UHD), of("20C", 696, 1, UHD), of("16C", 695, 1, UHD), of("10C", 694, 1, UHD),
    of("8C", 693, 1, UHD), of("4C", 692, 1, UHD),
    of("7-80C", 703, 1, UHD), of("4-40C", 702, 1, UHD), of("3-40C", 701, 1, UHD), of("2-20C", 700, 1, UHD),
    of("1-10C", 699, 1, UHD), of("1-10CME", 707, 1, UHD),
];

#[rustfmt::skip]
const H100: &[Type] = &[
    of("80C", 0, 1, UHD), of("40C", 0, 1, UHD), of("20C", 0, 1, UHD), of("16C", 0, 1, UHD), of("10C", 0, 1, UHD),
    of("8C", 0, 1, UHD), of("5C", 0, 1, UHD), of("4C", 0, 1, UHD),
    of("7-80C", 0, 1, UHD), of("4-40C", 0, 1, UHD), of("3-40C", 0, 1, UHD), of("2-20C", 0, 1, UHD), of("1-20C", 0, 1, UHD),
    of("1-10C", 0, 1, UHD), of("1-10CME", 0, 1, UHD),
];
