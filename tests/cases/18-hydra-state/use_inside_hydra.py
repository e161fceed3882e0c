"""A program with its own Hydra state calls twotower.run() and returns to its own config."""

import pathlib

import hydra

import twotower

conf = pathlib.Path("own_conf").absolute()
conf.mkdir(exist_ok=True)
(conf / "c.yaml").write_text("a: 1\n")
hydra.initialize_config_dir(str(conf), version_base="1.3")
twotower.run(
    [
        "dataset=file",
        "dataset.path=base.csv",
        "preprocessing=none",
        "split=last_n",
        "trainer.max_epochs=1",
        "trainer.progress_bar=false",
        "trainer.refit=false",
        "negative_sampling.num_negatives=3",
        "tracking=none",
        "output_dir=out",
    ]
)
assert hydra.compose("c").a == 1
