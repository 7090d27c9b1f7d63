//! A mail server that takes every mail and remembers how often each came, by the number in its subject. It answers `250`
//! only when the whole message is there, and it outlives the server under test.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::error::{Error, Result};

/// The longest line that is read, far beyond what SMTP allows.
const LONGEST_LINE: usize = 64 * 1024;

/// How often each number came.
type Taken = Arc<Mutex<HashMap<u64, u32>>>;

/// The sink.
#[derive(Debug)]
pub(crate) struct StrictSink {
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    taken: Taken,
    _tasks: JoinSet<()>,
}

impl StrictSink {
    /// Starts it.
    pub(crate) async fn start() -> Result<Self> {
        let failed = |e| Error::io("listen for mail", e);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let taken = Taken::default();
        let (mut tasks, counted) = (JoinSet::new(), Arc::clone(&taken));
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                open.spawn(async move {
                    // A client that is killed in the middle is what this is for.
                    let _ = session(stream, &counted).await;
                });
            }
        });
        Ok(Self { port, taken, _tasks: tasks })
    }

    /// How many different ones came.
    pub(crate) fn count(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How often each number came.
    pub(crate) fn taken(&self) -> HashMap<u64, u32> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn session(stream: TcpStream, taken: &Taken) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink.example ESMTP\r\n").await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 || line.len() > LONGEST_LINE {
            return Ok(());
        }
        let verb = line[..line.len().min(4)].to_ascii_uppercase();
        let answer: &[u8] = match verb.as_slice() {
            b"EHLO" => b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 20000000\r\n",
            b"DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let Some(number) = message(&mut stream).await? else { return Ok(()) };
                *taken.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_default() += 1;
                b"250 2.0.0 taken\r\n"
            }
            b"QUIT" => {
                stream.write_all(b"221 2.0.0 bye\r\n").await?;
                return Ok(());
            }
            _ => b"250 2.0.0 ok\r\n",
        };
        stream.write_all(answer).await?;
    }
}

/// Reads a message to its end; the number in its subject. `None` when the client went away before.
async fn message(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<u64>> {
    let (mut line, mut number) = (Vec::new(), u64::MAX);
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        if line == b".\r\n" {
            return Ok(Some(number));
        }
        let text = String::from_utf8_lossy(&line);
        if let Some(found) = text.strip_prefix("Subject: number ").and_then(|rest| rest.trim().parse().ok()) {
            number = found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn a_mail_counts_when_it_is_whole() {
        let sink = StrictSink::start().await.unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", sink.port)).await.unwrap();
        let text = "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: number 7\r\n\r\nhi\r\n.\r\nQUIT\r\n";
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert!(said.contains("354") && said.ends_with("221 2.0.0 bye\r\n"), "{said}");
        let mut cut = TcpStream::connect(("127.0.0.1", sink.port)).await.unwrap();
        cut.write_all(b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: number 8\r\n")
            .await
            .unwrap();
        drop(cut);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert_eq!(sink.taken(), HashMap::from([(7, 1)]));
    }
}
