//! Kinds of one's own: what a file says is what is generated, and what it cannot say is told.

use serde_json::Value;

use crate::support::Place;

const PARCEL: &str = r#"
about = "parcels"
entities = 5
key = "parcel"

[fields]
parcel = { is = "name", word = "parcel" }
weight = { is = "gamma", shape = 2, mean = 3, decimals = 1, minimum = 0.1 }
"#;

fn place() -> Place {
    let place = Place::at("127.0.0.1:1");
    place.write("parcel.toml", PARCEL);
    place
}

#[test]
fn a_spec_is_generated_and_described_like_any_kind() {
    let place = place();
    let spec = place.path("parcel.toml");
    let spec = spec.to_str().unwrap();
    let schema = place.kpipe(&["generate", "describe", "--spec", spec]);
    let schema: Value = serde_json::from_slice(schema.run().ends(0).errors("").bytes()).unwrap();
    assert_eq!(schema["title"], "parcel", "named like its file");
    let schema = jsonschema::validator_for(&schema).unwrap();
    let arguments = ["-q", "generate", "--spec", spec, "-n", "300", "--seed", "3"];
    let arguments = [&arguments[..], &["--start", "2026-11-20"]].concat();
    let records = place.kpipe(&arguments).run().ends(0).errors("");
    for record in records.json() {
        assert!(schema.is_valid(&record["value"]), "{record}");
        assert_eq!(record["key"], record["value"]["payload"]["parcel"]);
        assert_eq!(record["value"]["data_type"], "parcel");
    }
    assert_eq!(records.json().len(), 300);
    let again = place.kpipe(&arguments).run().ends(0);
    again.prints(records.bytes());
}

#[test]
fn a_mistake_in_a_spec_is_told_with_its_place_and_what_was_meant() {
    let place = place();
    place.write(
        "typo.toml",
        "[fields]\nweight = { is = \"gama\", shape = 2, mean = 3 }\n",
    );
    place.write("broken.toml", "[fields]\nweight = {\u{1b}[2J\n");
    place.write(
        "escape.toml",
        "[fields]\nweight = { is = \"\\u001b[2J\" }\n",
    );
    let mistakes: [(&str, &[&str]); 4] = [
        ("escape.toml", &["`fields.weight`: no generator"]),
        (
            "typo.toml",
            &[
                "typo.toml describes no kind",
                "caused by: `fields.weight`: no generator `gama`",
                "hint: did you mean `gamma`?",
            ],
        ),
        (
            "broken.toml",
            &["line 2, column 12", "hint: `kpipe help generate`"],
        ),
        ("missing.toml", &["cannot read", "missing.toml"]),
    ];
    for (file, parts) in mistakes {
        let file = place.path(file);
        for arguments in [&["generate"][..], &["generate", "describe"]] {
            let arguments = [arguments, &["--spec", file.to_str().unwrap()]].concat();
            let ended = place.kpipe(&arguments).run();
            ended
                .ends(2)
                .prints("")
                .says(parts)
                .hides(&["\u{1b}"])
                .says_one_block();
        }
    }
}

#[test]
fn a_spec_excludes_a_kind() {
    let place = place();
    let both = place.kpipe(&["generate", "sensor", "--spec", "parcel.toml"]);
    both.run().ends(2).says(&["--spec"]);
    let neither = place.kpipe(&["generate", "describe"]);
    neither.run().ends(2).says(&["required"]);
}

#[test]
fn a_field_that_a_spec_has_not_is_told_with_how_to_see_them() {
    let place = place();
    let spec = place.path("parcel.toml");
    let arguments = ["generate", "--null", "wieght=1%", "--spec"];
    let ended = place.kpipe(&arguments).arguments(&[spec.to_str().unwrap()]);
    let hint = format!("`kpipe generate describe --spec {}`", spec.display());
    ended.run().ends(2).says(&["`wieght`", &hint]);
}

#[test]
fn the_example_of_the_page_is_a_spec() {
    let place = place();
    let page = place.kpipe(&["help", "generate"]).run().ends(0).out();
    let example = page.split("```toml\n").nth(1).unwrap();
    let example = example.split("```").next().unwrap();
    place.write("page.toml", example);
    let page = place.path("page.toml");
    let arguments = [
        "-q",
        "generate",
        "-n",
        "50",
        "--spec",
        page.to_str().unwrap(),
    ];
    let records = place.kpipe(&arguments).run().ends(0).json();
    assert!(
        records
            .iter()
            .all(|each| each["value"]["payload"]["to"]["email"].is_string())
    );
    assert_eq!(records.len(), 50);
}
