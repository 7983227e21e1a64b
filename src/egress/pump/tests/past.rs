//! What the ring keeps for a target, and what it does not.

use super::scene::*;

/// Pictures of a GOP, 100 ms each.
const GOP: u32 = 10;

fn frame(scene: &Scene, number: u32) {
    let payload = match number % GOP {
        0 => key(4000),
        _ => [inter(number), vec![0x41; 1000]].concat(),
    };
    scene.push(number * 100, payload);
}

fn ring_bytes(scene: &Scene) -> usize {
    let stream = scene.producer.as_ref().unwrap().stream();
    stream.snapshot().ring_bytes
}

fn picture_times(scene: &Scene) -> Vec<u32> {
    let pictures = scene.messages().into_iter().filter(|message| {
        message.type_id == crate::rtmp::message::MessageType::VIDEO && message.payload[1] == 1
    });
    pictures.map(|message| message.timestamp).collect()
}

#[tokio::test(start_paused = true)]
async fn a_target_that_keeps_up_has_no_more_than_the_open_gop_and_the_one_before_it_kept() {
    let scene = Scene::new();
    scene.push(0, HEADER.to_vec());
    frame(&scene, 0);
    scene.settle().await;
    let mut least = usize::MAX;
    for number in 1..GOP * 20 {
        frame(&scene, number);
        let kept = ring_bytes(&scene);
        assert!(kept < 2 * (4000 + 9 * 1000 + 10 * 200), "{kept} bytes");
        if number > GOP * 10 {
            least = least.min(kept);
        }
    }
    assert!(least < 8000, "{least} bytes");
    assert_eq!(picture_times(&scene).len(), GOP as usize * 20);
}

#[tokio::test(start_paused = true)]
async fn one_that_falls_behind_at_any_frame_has_all_kept_that_it_was_not_given() {
    for stuck in GOP * 2..GOP * 3 + 2 {
        for settles in [false, true] {
            let scene = Scene::new();
            scene.push(0, HEADER.to_vec());
            for number in 0..stuck {
                frame(&scene, number);
                scene.settle().await;
            }
            // In the middle of the next frame.
            scene.wire.allow(scene.wire.sent() + 300);
            let last = stuck + GOP * 3;
            for number in stuck..last {
                frame(&scene, number);
                if settles {
                    scene.settle().await;
                }
            }
            scene.wire.allow(usize::MAX);
            scene.settle().await;
            let times: Vec<_> = (0..last).map(|number| number * 100).collect();
            assert_eq!(picture_times(&scene), times, "stuck at {stuck}");
            // It keeps up again, and what it has been given goes.
            for number in last..last + GOP * 2 {
                frame(&scene, number);
                scene.settle().await;
            }
            assert!(ring_bytes(&scene) < 2 * (4000 + 9 * 1000 + 10 * 200));
        }
    }
}
