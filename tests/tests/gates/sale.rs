//! The steps of the flash sale, each by changing only the file.

use floodwall_tests::{Client, Floodwall, Loopback};

use super::{KEY, ask, sale};

#[test]
fn before_it_opens_and_after_it_has_closed_nobody_comes_in() {
    let web = Loopback::free();
    let gate = "opens: 2999-01-01T00:00:00Z, before: { status: 403, body: \"not start yet.\\n\" }";
    let floodwall = Floodwall::start(&sale(web, gate));
    let early = Client::of(web).get("/flashsale");
    assert_eq!(
        (early.status, early.body.as_str()),
        (403, "not start yet.\n")
    );
    assert_eq!(early.header("retry-after"), Some("86400"));
    assert_eq!(early.header("cache-control"), Some("no-store"));
    assert_eq!(
        Client::of(web).get("/").body,
        "welcome\n",
        "the shop itself is open"
    );
    assert_eq!(floodwall.status()["gates"][0]["phase"], "before");

    floodwall.write(&sale(web, "opens: 2021-08-08T00:00:00+00:00"));
    assert_eq!(floodwall.reload().code, Some(0));
    assert_eq!(Client::of(web).get("/flashsale").body, "yours\n");

    let over = "closes: 2021-08-08T00:00:00Z, after: { status: 302, headers: { location: /over } }";
    floodwall.write(&sale(web, over));
    assert_eq!(floodwall.reload().code, Some(0));
    let late = Client::of(web).get("/flashsale");
    assert_eq!((late.status, late.header("location")), (302, Some("/over")));
    let line = floodwall.logged(|line| line["status"] == 302);
    assert_eq!(
        (&line["verdict"], &line["error"]),
        (&"gate".into(), &"closed".into())
    );
}

#[test]
fn a_share_is_drawn_anew_for_each_request() {
    let web = Loopback::free();
    let refused = "refused: { status: 403, body: \"sold out.\\n\" }";
    let _floodwall = Floodwall::start(&sale(web, &format!("admit: 60%, {refused}")));
    let mut connection = Client::of(web).connect().expect("the proxy accepts");
    let bodies: Vec<String> = (0..1000)
        .map(|_| connection.get("/flashsale").expect("an answer").body)
        .collect();
    let bought = bodies.iter().filter(|body| *body == "yours\n").count();
    // Six sigma of a thousand draws.
    assert!((507..=693).contains(&bought), "{bought} of 1000");
    assert!(
        bodies
            .iter()
            .all(|body| body == "yours\n" || body == "sold out.\n")
    );
}

#[test]
fn once_in_is_always_in_and_never_more_than_there_are_places() {
    let web = Loopback::free();
    let gate = format!("{KEY}, admit: 60%, max_admitted: 3");
    let floodwall = Floodwall::start(&sale(web, &gate));
    let mut inside = Vec::new();
    for user in 0..40 {
        let user = format!("user{user}");
        if ask(web, &user).status == 200 {
            inside.push(user);
        }
    }
    assert_eq!(inside.len(), 3, "of forty at 60% three are drawn soon");
    for user in &inside {
        assert!((0..20).all(|_| ask(web, user).status == 200), "{user}");
    }
    assert_eq!(ask(web, "late").status, 403);
    assert_eq!(
        Client::of(web).get("/flashsale").status,
        403,
        "nobody in particular"
    );
    let gate = &floodwall.status()["gates"][0];
    assert_eq!(
        (&gate["admitted"], &gate["kept"]),
        (&3.into(), &true.into())
    );
    assert_eq!(gate["refused"]["nameless"], 1);

    let would = |user: &str| {
        let header = format!("authorization:{user}");
        floodwall.json(&["explain", "--json", "--header", &header, "/flashsale"])["gate"].clone()
    };
    assert_eq!(would(&inside[0])["would"], "let in");
    assert_eq!(
        (&would("late")["would"], &would("late")["status"]),
        (&"full".into(), &403.into())
    );
}

#[test]
fn a_fixed_draw_says_the_same_however_often_it_is_asked() {
    let web = Loopback::free();
    let gate = format!("{KEY}, admit: 50%, draw: fixed");
    let mut floodwall = Floodwall::start(&sale(web, &gate));
    let draw = || -> Vec<u16> {
        (0..60)
            .map(|user| ask(web, &format!("u{user}")).status)
            .collect()
    };
    let first = draw();
    let drawn = first.iter().filter(|status| **status == 200).count();
    assert!((10..=50).contains(&drawn), "{drawn} of 60");
    assert_eq!(draw(), first);
    assert!(
        floodwall
            .ask(&["gate", "delete", "laptop"])
            .stdout
            .contains("put out")
    );
    floodwall.kill();
    floodwall.start_again();
    assert_eq!(draw(), first, "the secret of the draw is kept");
}
