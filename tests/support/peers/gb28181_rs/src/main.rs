//! A device of GB/T 28181 made with the crate `gb28181-rs`: shows a file of H.264 (annex B, 25 pictures a second) live, over and
//! over, and the same file as its only recording. What it is told goes to standard output, a line each.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gb28181_rs::config::{CatalogChannel, Gb28181Config, Transport};
use gb28181_rs::frame::{AccessUnit, Nalu};
use gb28181_rs::manscdp::PtzCommand;
use gb28181_rs::mock::MockFrameHub;
use gb28181_rs::server::{DeviceControlHandler, Gb28181Server};
use gb28181_rs::{RecordingSource, SegmentMeta};

fn said(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

struct Recording {
    file: PathBuf,
    meta: SegmentMeta,
}

impl RecordingSource for Recording {
    fn lookup(&self, start_ms: u64, end_ms: u64) -> Vec<SegmentMeta> {
        let overlaps = start_ms <= self.meta.end_ms && end_ms >= self.meta.start_ms;
        if overlaps { vec![self.meta.clone()] } else { Vec::new() }
    }

    fn resolve_path(&self, _file: &str) -> PathBuf {
        self.file.clone()
    }
}

struct Told;

impl DeviceControlHandler for Told {
    fn on_ptz(&self, command: &PtzCommand) {
        println!("ptz {command:?}");
    }

    fn on_force_iframe(&self) {
        println!("key frame");
    }

    fn on_guard(&self, arm: bool) {
        println!("guard {arm}");
    }
}

fn unit(data: Vec<u8>) -> Nalu {
    let nalu_type = data[0] & 0x1F;
    Nalu {
        nalu_type,
        is_idr: nalu_type == 5,
        is_sps: nalu_type == 7,
        is_pps: nalu_type == 8,
        is_aud: nalu_type == 9,
        data,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let video = PathBuf::from(said("VIDEO"));
    let pictures = gb28181_rs::segment::read_segment(&video).expect("a file of H.264");
    let start_ms: u64 = said("RECORDED_MS").parse().expect("a number");
    let recording = Recording {
        meta: SegmentMeta {
            file: "recording.h264".into(),
            start_ms,
            end_ms: start_ms + 40 * pictures.len() as u64,
        },
        file: video,
    };
    let transport = match said("TRANSPORT").as_str() {
        "tcp" => Transport::TcpOut,
        _ => Transport::Udp,
    };
    let config = Gb28181Config {
        platform_sip_address: said("PLATFORM_HOST"),
        platform_sip_port: said("PLATFORM_PORT").parse().expect("a port"),
        device_id: said("DEVICE"),
        channel_id: said("CHANNEL"),
        sip_domain: said("DOMAIN"),
        password: said("PASSWORD"),
        local_sip_port: said("SIP_PORT").parse().expect("a port"),
        register_interval_secs: 3600,
        heartbeat_interval_secs: 2,
        transport,
        extra_channels: vec![CatalogChannel {
            device_id: said("CHANNEL"),
            name: "gb28181-rs".into(),
            manufacturer: "rs".into(),
            model: "peer".into(),
            status: "ON".into(),
            ptz_type: Some(1),
            photoelectric_imaging_type: None,
        }],
        ..Gb28181Config::default()
    };
    let hub = Arc::new(MockFrameHub::new());
    let mut server = Gb28181Server::with_recording_index(config, hub.clone(), Some(Arc::new(recording)))
        .with_control_handler(Some(Arc::new(Told)))
        .spawn()
        .await
        .expect("a device that starts");
    println!("started");
    let mut pace = tokio::time::interval(Duration::from_millis(40));
    let mut number = 0;
    let mut input = stop();
    loop {
        tokio::select! {
            _ = pace.tick() => {}
            _ = &mut input => break,
        }
        let picture = &pictures[number % pictures.len()];
        number += 1;
        hub.write(AccessUnit {
            nalus: picture.nalus.iter().cloned().map(unit).collect(),
            timestamp: Instant::now(),
            is_key_frame: picture.is_key_frame,
        });
    }
    server.shutdown_with_deregister().await.expect("a farewell");
    println!("ended");
}

/// Until standard input is closed: who started this has gone, or wants its end.
fn stop() -> tokio::sync::oneshot::Receiver<()> {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::Read::read_to_end(&mut std::io::stdin(), &mut Vec::new());
        let _ = tell.send(());
    });
    told
}
