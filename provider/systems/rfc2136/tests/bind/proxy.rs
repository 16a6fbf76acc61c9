//! Between client and server: something happens before an update arrives, or its answer is lost.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens at an update.
pub(crate) enum Event {
    /// Somebody else is faster.
    Before(Box<dyn FnOnce() + Send>),
    /// It is carried out, and no answer comes.
    Lost,
}

/// A port that leads to the server. Events happen one an update, in their order; updates are counted.
pub(crate) async fn between(server: u16, events: Vec<Event>) -> (u16, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (events, updates) = (Arc::new(Mutex::new(events.into_iter())), Arc::<Mutex<usize>>::default());
    let counted = Arc::clone(&updates);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (events, counted) = (Arc::clone(&events), Arc::clone(&counted));
            tokio::spawn(async move {
                let length = client.read_u16().await.unwrap();
                let mut message = vec![0; usize::from(length)];
                client.read_exact(&mut message).await.unwrap();
                let is_update = (message[2] >> 3) & 0xf == 5;
                let event = if is_update {
                    *counted.lock().unwrap() += 1;
                    events.lock().unwrap().next()
                } else {
                    None
                };
                let is_lost = matches!(event, Some(Event::Lost));
                if let Some(Event::Before(happens)) = event {
                    tokio::task::spawn_blocking(happens).await.unwrap();
                }
                let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await.unwrap();
                stream.write_u16(length).await.unwrap();
                stream.write_all(&message).await.unwrap();
                let length = stream.read_u16().await.unwrap();
                let mut answer = vec![0; usize::from(length)];
                stream.read_exact(&mut answer).await.unwrap();
                if !is_lost {
                    client.write_u16(length).await.unwrap();
                    client.write_all(&answer).await.unwrap();
                }
            });
        }
    });
    (port, updates)
}
