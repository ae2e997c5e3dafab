"""Fine-tune a classifier."""
from dataclasses import dataclass, field
from typing import Optional

from transformers import HfArgumentParser, Trainer, TrainingArguments


@dataclass
class ModelArguments:
    model_name: str = field(default="distilbert", metadata={"help": "Which model."})
    dropout: Optional[float] = field(default=0.1)
    freeze: bool = False


def main():
    parser = HfArgumentParser((ModelArguments, TrainingArguments))
    model_args, training_args = parser.parse_args_into_dataclasses()
    trainer = Trainer(args=training_args)
    trainer.train()
    metrics = trainer.evaluate()
    print({"eval_loss": metrics["eval_loss"], "eval_accuracy": metrics["eval_accuracy"]})


if __name__ == "__main__":
    main()
