//! A VNC server (RFC 6143) whose whole screen moves smoothly: nothing that copies or colours of one kind would help with. It runs in a
//! process of its own and sends as many pictures a second as it is asked to, each raw or as one JPEG (Tight).

use anyhow::{Context, Result};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};

/// Pictures that come one after the other, over and over: a second at thirty a second.
const PICTURES: u32 = 30;
const JPEG_QUALITY: u8 = 75;

/// The process.
pub(crate) struct Motion {
    pub address: SocketAddr,
    _child: Child,
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    width: u16,
    #[arg(long)]
    height: u16,
    #[arg(long)]
    fps: u32,
    /// Sends JPEG instead of pixels
    #[arg(long)]
    jpeg: bool,
}

impl Motion {
    pub async fn start(width: u16, height: u16, fps: u32, jpeg: bool) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["motion", "--width", &width.to_string(), "--height", &height.to_string()]);
        command.args(["--fps", &fps.to_string()]);
        if jpeg {
            command.arg("--jpeg");
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let output = child.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        let port: u16 = line.trim().parse().context("the moving picture's server did not print its port")?;
        Ok(Self { address: SocketAddr::from(([127, 0, 0, 1], port)), _child: child })
    }
}

/// Serves one client after the other until it is killed.
#[expect(clippy::print_stdout, reason = "the parent reads the port")]
pub(crate) async fn run(options: Options) -> Result<()> {
    let pictures = (0..PICTURES).map(|at| update(options, at)).collect::<Result<Vec<_>>>()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        match serve(stream, options, &pictures).await {
            Err(error) if error.kind() != ErrorKind::UnexpectedEof => eprintln!("a client left: {error}"),
            _ => {}
        }
    }
}

async fn serve(mut stream: TcpStream, options: Options, pictures: &[Vec<u8>]) -> std::io::Result<()> {
    stream.write_all(b"RFB 003.008\n").await?;
    stream.read_exact(&mut [0; 12]).await?;
    stream.write_all(&[1, 1]).await?;
    stream.read_u8().await?;
    stream.write_all(&[0; 4]).await?;
    stream.read_u8().await?;
    stream.write_u16(options.width).await?;
    stream.write_u16(options.height).await?;
    stream.write_all(&[32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16, 0, 0, 0, 0, 0, 0, 0]).await?;
    let began = Instant::now();
    let mut next = 0u32;
    loop {
        let skip = match stream.read_u8().await? {
            0 => 19,
            2 => {
                stream.read_u8().await?;
                usize::from(stream.read_u16().await?) * 4
            }
            3 => 9,
            4 => 7,
            5 => 5,
            other => return Err(std::io::Error::other(format!("message {other}"))),
        };
        let message = skip == 9;
        stream.read_exact(&mut vec![0; skip]).await?;
        if message {
            // A client that is late misses pictures, as with any server.
            let now = (began.elapsed().as_secs_f64() * f64::from(options.fps)) as u32;
            next = (next + 1).max(now);
            sleep_until(began + Duration::from_secs_f64(f64::from(next) / f64::from(options.fps))).await;
            if let Some(picture) = pictures.get((next % PICTURES) as usize) {
                stream.write_all(picture).await?;
            }
        }
    }
}

/// One message with the whole screen.
fn update(options: Options, at: u32) -> Result<Vec<u8>> {
    let Options { width, height, jpeg, .. } = options;
    let mut message = vec![0, 0, 0, 1, 0, 0, 0, 0];
    message.extend(width.to_be_bytes());
    message.extend(height.to_be_bytes());
    let shift = f64::from(at) / f64::from(PICTURES) * std::f64::consts::TAU;
    let colour = |x: u16, y: u16| {
        let (x, y) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
        let wave = |phase: f64| ((phase.sin() + 1.0) * 127.5) as u8;
        [wave(9.0 * x + shift), wave(7.0 * y - shift), wave(5.0 * (x + y) + 2.0 * shift)]
    };
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| colour(x, y)));
    if jpeg {
        message.extend(7i32.to_be_bytes());
        let rgb: Vec<u8> = pixels.flatten().collect();
        let mut picture = Vec::new();
        jpeg_encoder::Encoder::new(&mut picture, JPEG_QUALITY).encode(
            &rgb,
            width,
            height,
            jpeg_encoder::ColorType::Rgb,
        )?;
        message.push(0x90);
        let length = picture.len();
        // Tight's compact length: seven bits at a time, the third byte whole.
        message.extend([length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8]);
        message.extend(picture);
    } else {
        message.extend(0i32.to_be_bytes());
        message.extend(pixels.flat_map(|[red, green, blue]| [red, green, blue, 0]));
    }
    Ok(message)
}
