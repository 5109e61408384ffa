//! The tiny guest of the accelerator probe, in machine code.
//!
//! A real-mode guest would not do: there are hosts whose KVM runs the BIOS and then spins for ever at the first page table
//! or model-specific register. So this one does what every kernel does first: it builds page tables, enters 64-bit long
//! mode, counts with 64-bit registers, and writes what it computed to QEMU's `isa-debug-exit` device. And it counts far
//! enough: some KVMs interpret such a guest one instruction at a time, a thousand times too slowly to ever boot it.
//!
//! It is a flat Multiboot image (<https://www.gnu.org/software/grub/manual/multiboot/multiboot.html> §3.1): no
//! assembler, no linker.

/// Where the image lies in the guest's memory.
const LOAD: u32 = 0x0010_0000;
/// Three pages behind it: page map level 4, page directory pointers, page directory.
const TABLES: u32 = 0x0010_1000;
/// The port of the exit device.
pub(super) const EXIT_PORT: u8 = 0xf4;
/// What the guest writes there.
const ANSWER: u8 = 0x21;
/// QEMU's exit status when it has: the value shifted left, with the lowest bit set.
pub(super) const ANSWER_STATUS: i32 = (ANSWER as i32) << 1 | 1;

/// How often it goes round a loop of two instructions: a tenth of a second on a processor, half a second in software, and
/// minutes where every instruction is interpreted.
const ROUNDS: i32 = 150_000_000;

const MULTIBOOT_MAGIC: u32 = 0x1bad_b002;
/// Bit 16: the header tells where to load what, so the image needs no ELF around it.
const MULTIBOOT_FLAGS: u32 = 1 << 16;
const HEADER_BYTES: u32 = 32;

/// The image.
pub fn payload() -> Vec<u8> {
    let entry = LOAD + HEADER_BYTES;
    let mut code = protected_mode();
    // Two instructions follow that name addresses behind themselves: 7 bytes of lgdt and 7 of the far jump.
    let long_mode = entry + code.len() as u32 + 14;
    let long = long_mode_code();
    let table = long_mode + long.len() as u32;
    let descriptor = table + 16;
    code.extend([0x0f, 0x01, 0x15]); // lgdt [descriptor]
    code.extend(descriptor.to_le_bytes());
    code.push(0xea); // jmp 0x08:long_mode
    code.extend(long_mode.to_le_bytes());
    code.extend([0x08, 0x00]);
    code.extend(long);
    code.extend([0; 8]); // segment 0x00: null
    code.extend([0, 0, 0, 0, 0, 0x9a, 0x20, 0]); // segment 0x08: code, present, 64 bit
    code.extend(15u16.to_le_bytes()); // limit of the table
    code.extend(table.to_le_bytes());

    let end = entry + code.len() as u32;
    let header = [
        MULTIBOOT_MAGIC,
        MULTIBOOT_FLAGS,
        0u32.wrapping_sub(MULTIBOOT_MAGIC.wrapping_add(MULTIBOOT_FLAGS)),
        LOAD,  // where this header lies
        LOAD,  // where to load
        end,   // up to here from the file
        end,   // up to here zeroed
        entry, // and off we go: 32-bit protected mode, flat segments, no paging
    ];
    header.into_iter().flat_map(u32::to_le_bytes).chain(code).collect()
}

fn protected_mode() -> Vec<u8> {
    let mut code = vec![0xfa, 0xfc]; // cli; cld
    code.push(0xbf); // mov edi, TABLES
    code.extend(TABLES.to_le_bytes());
    code.extend([0x31, 0xc0]); // xor eax, eax
    code.extend([0xb9, 0x00, 0x0c, 0x00, 0x00]); // mov ecx, 3 * 1024
    code.extend([0xf3, 0xab]); // rep stosd
    // Level 4 → level 3 → level 2 → one page of 2 MiB at 0; bits: present, writable, and large for the last.
    for (at, value) in [(TABLES, TABLES + 0x1003), (TABLES + 0x1000, TABLES + 0x2003), (TABLES + 0x2000, 0x83)] {
        code.extend([0xc7, 0x05]); // mov dword [at], value
        code.extend(at.to_le_bytes());
        code.extend(value.to_le_bytes());
    }
    code.extend([0x0f, 0x20, 0xe0]); // mov eax, cr4
    code.extend([0x83, 0xc8, 0x20]); // or eax, PAE
    code.extend([0x0f, 0x22, 0xe0]); // mov cr4, eax
    code.push(0xb8); // mov eax, TABLES
    code.extend(TABLES.to_le_bytes());
    code.extend([0x0f, 0x22, 0xd8]); // mov cr3, eax
    code.extend([0xb9, 0x80, 0x00, 0x00, 0xc0]); // mov ecx, IA32_EFER
    code.extend([0x0f, 0x32]); // rdmsr
    code.extend([0x0d, 0x00, 0x01, 0x00, 0x00]); // or eax, LME
    code.extend([0x0f, 0x30]); // wrmsr
    code.extend([0x0f, 0x20, 0xc0]); // mov eax, cr0
    code.extend([0x0d, 0x00, 0x00, 0x00, 0x80]); // or eax, PG
    code.extend([0x0f, 0x22, 0xc0]); // mov cr0, eax
    code
}

fn long_mode_code() -> Vec<u8> {
    let mut code = vec![0x48, 0xc7, 0xc1]; // mov rcx, ROUNDS
    code.extend(ROUNDS.to_le_bytes());
    code.extend([0x48, 0xff, 0xc9]); // again: dec rcx
    code.extend([0x75, 0xfb]); // jnz again
    code.extend([0x48, 0xb8]); // mov rax, ANSWER << 32
    code.extend((u64::from(ANSWER) << 32).to_le_bytes());
    code.extend([0x48, 0xc1, 0xe8, 0x20]); // shr rax, 32: nothing is left of it in 32 bits
    code.extend([0xe7, EXIT_PORT]); // out EXIT_PORT, eax
    code.extend([0xf4, 0xeb, 0xfd]); // hlt, for ever
    code
}
