//! RSA-AES's messages (community's RFB specification, "RSA-AES Security Type"): each is its length, the bytes under AES in
//! EAX mode, and 16 bytes that prove them; the nonce counts messages.

use aes::{Aes128, Aes256};
use eax::{
    Eax,
    aead::{AeadInOut, KeyInit, Nonce, Tag},
};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(crate) const LENGTH_BYTES: usize = 2;
pub(crate) const TAG_BYTES: usize = 16;
/// Longest message that we make, in bytes before sealing; servers refuse longer ones.
const MESSAGE_BYTES: usize = 8192;
/// How much is read at a time.
const READ_BYTES: usize = 16 << 10;

enum Cipher {
    Aes128(Eax<Aes128>),
    Aes256(Eax<Aes256>),
}

/// One direction of a sealed connection.
pub(crate) struct Seal {
    cipher: Cipher,
    /// Little endian.
    messages: u128,
}

/// Both directions.
pub(crate) struct Seals {
    pub(crate) ours: Seal,
    pub(crate) theirs: Seal,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Forged;

impl Seal {
    pub(crate) fn aes128(key: [u8; 16]) -> Self {
        Self { cipher: Cipher::Aes128(Eax::new(&key.into())), messages: 0 }
    }

    pub(crate) fn aes256(key: [u8; 32]) -> Self {
        Self { cipher: Cipher::Aes256(Eax::new(&key.into())), messages: 0 }
    }

    const fn nonce(&mut self) -> [u8; 16] {
        let nonce = self.messages.to_le_bytes();
        self.messages = self.messages.wrapping_add(1);
        nonce
    }

    /// Appends a sealed message; at most 64 KiB.
    pub(crate) fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Forged> {
        let length = u16::try_from(plain.len()).map_err(|_| Forged)?.to_be_bytes();
        let nonce = Nonce::<Eax<Aes128>>::from(self.nonce());
        out.extend_from_slice(&length);
        let start = out.len();
        out.extend_from_slice(plain);
        let body = out.get_mut(start..).unwrap_or_default();
        let tag = match &self.cipher {
            Cipher::Aes128(eax) => eax.encrypt_inout_detached(&nonce, &length, body.into()),
            Cipher::Aes256(eax) => eax.encrypt_inout_detached(&nonce, &length, body.into()),
        };
        out.extend_from_slice(&tag.map_err(|_| Forged)?);
        Ok(())
    }

    /// Opens what follows a length: the sealed bytes and their proof. Answers the plain bytes.
    pub(crate) fn open<'b>(&mut self, length: [u8; 2], sealed: &'b mut [u8]) -> Result<&'b mut [u8], Forged> {
        let nonce = Nonce::<Eax<Aes128>>::from(self.nonce());
        let (body, tag) = sealed.split_at_mut_checked(usize::from(u16::from_be_bytes(length))).ok_or(Forged)?;
        let tag: [u8; TAG_BYTES] = (&*tag).try_into().map_err(|_| Forged)?;
        let tag = Tag::<Eax<Aes128>>::from(tag);
        match &self.cipher {
            Cipher::Aes128(eax) => eax.decrypt_inout_detached(&nonce, &length, (&mut *body).into(), &tag),
            Cipher::Aes256(eax) => eax.decrypt_inout_detached(&nonce, &length, (&mut *body).into(), &tag),
        }
        .map_err(|_| Forged)?;
        Ok(body)
    }
}

/// A stream whose bytes travel in sealed messages.
pub(crate) struct Sealed<S> {
    stream: S,
    seals: Seals,
    /// A message that is not complete: bounded by its 16 bits of length and one read.
    got: Vec<u8>,
    /// Opened bytes, and how many of them have been read.
    plain: Vec<u8>,
    read: usize,
    /// Sealed bytes that the stream has not taken, and how many it has: one message.
    waiting: Vec<u8>,
    written: usize,
}

impl<S> Sealed<S> {
    pub(crate) const fn new(stream: S, seals: Seals) -> Self {
        Self { stream, seals, got: Vec::new(), plain: Vec::new(), read: 0, waiting: Vec::new(), written: 0 }
    }

    /// Opens the next message if it is there.
    fn open(&mut self) -> io::Result<bool> {
        let Some(length) = self.got.first_chunk::<LENGTH_BYTES>().copied() else { return Ok(false) };
        let end = LENGTH_BYTES + usize::from(u16::from_be_bytes(length)) + TAG_BYTES;
        let Some(sealed) = self.got.get_mut(LENGTH_BYTES..end) else { return Ok(false) };
        let plain =
            self.seals.theirs.open(length, sealed).map_err(|Forged| {
                io::Error::new(io::ErrorKind::InvalidData, "a sealed message was changed on its way")
            })?;
        self.plain.clear();
        self.plain.extend_from_slice(plain);
        self.read = 0;
        self.got.drain(..end);
        Ok(true)
    }
}

impl<S: AsyncWrite + Unpin> Sealed<S> {
    fn drain(&mut self, context: &mut Context) -> Poll<io::Result<()>> {
        while let Some(rest) = self.waiting.get(self.written..).filter(|rest| !rest.is_empty()) {
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        self.waiting.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Sealed<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let rest = this.plain.get(this.read..).unwrap_or_default();
            if !rest.is_empty() {
                let now = rest.get(..buffer.remaining().min(rest.len())).unwrap_or_default();
                buffer.put_slice(now);
                this.read += now.len();
                return Poll::Ready(Ok(()));
            }
            if this.open()? {
                continue;
            }
            let held = this.got.len();
            this.got.resize(held + READ_BYTES, 0);
            let mut room = ReadBuf::new(this.got.get_mut(held..).unwrap_or_default());
            let polled = Pin::new(&mut this.stream).poll_read(context, &mut room);
            let count = room.filled().len();
            this.got.truncate(held + count);
            ready!(polled)?;
            if count == 0 {
                return Poll::Ready(if held == 0 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) });
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Sealed<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.drain(context))?;
        let now = bytes.get(..bytes.len().min(MESSAGE_BYTES)).unwrap_or_default();
        this.seals.ours.seal(now, &mut this.waiting).map_err(|Forged| io::Error::other("could not seal a message"))?;
        // What the stream does not take now waits; the bytes are ours either way.
        match this.drain(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(now.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.drain(context))?;
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.drain(context))?;
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::{Forged, Seal, Sealed, Seals};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    /// Computed with an EAX put together from CMAC and CTR of Python's `cryptography`, following the RSA-AES text.
    #[test]
    fn known_answers() {
        let mut seal = Seal::aes128(*b"0123456789abcdef");
        let mut out = Vec::new();
        seal.seal(b"hello", &mut out).unwrap();
        assert_eq!(hex(&out), "0005fa5cc2fe7ad8da39374fabefbe1d27570ef46341e8");
        out.clear();
        seal.seal(b"world", &mut out).unwrap();
        assert_eq!(hex(&out), "0005d18c7c8bfd733f751e0287de14c8b71039fe11c9b6");
        out.clear();
        Seal::aes256(*b"0123456789abcdef0123456789ABCDEF").seal(b"hello", &mut out).unwrap();
        assert_eq!(hex(&out), "000532d448f358f5aca58619e0682ea068ca861dd0c225");
    }

    fn hex(bytes: &[u8]) -> String {
        use std::fmt::Write;
        let mut text = String::new();
        bytes.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
        text
    }

    fn pair() -> (Seals, Seals) {
        let seal = |byte| Seal::aes256([byte; 32]);
        (Seals { ours: seal(1), theirs: seal(2) }, Seals { ours: seal(2), theirs: seal(1) })
    }

    #[tokio::test]
    async fn bytes_arrive_whatever_the_pieces() {
        let (here, there) = duplex(100);
        let (left, right) = pair();
        let (mut here, mut there) = (Sealed::new(here, left), Sealed::new(there, right));
        let sent: Vec<u8> = (0..100_000_u32).map(|i| (i * 7) as u8).collect();
        let want = sent.clone();
        let sender = tokio::spawn(async move {
            here.write_all(&sent).await.unwrap();
            here.shutdown().await.unwrap();
        });
        let mut got = Vec::new();
        there.read_to_end(&mut got).await.unwrap();
        sender.await.unwrap();
        assert_eq!(got, want);
    }

    #[tokio::test]
    async fn changed_and_cut_messages_are_noticed() {
        let mut message = Vec::new();
        pair().1.ours.seal(b"hello", &mut message).unwrap();
        for flip in [1, 3, message.len() - 1] {
            let mut changed = message.clone();
            changed[flip] ^= 1;
            let mut out = Vec::new();
            Sealed::new(std::io::Cursor::new(changed), pair().0).read_to_end(&mut out).await.unwrap_err();
        }
        let cut = &message[..10];
        let mut out = Vec::new();
        Sealed::new(cut, pair().0).read_to_end(&mut out).await.unwrap_err();
        // The same message again is not the next one.
        let mut seals = pair().0;
        let length = [0, 5];
        assert_eq!(seals.theirs.open(length, &mut message.clone()[2..]).unwrap(), b"hello");
        assert_eq!(seals.theirs.open(length, &mut message.clone()[2..]), Err(Forged));
    }
}
