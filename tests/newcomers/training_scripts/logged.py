import argparse
import logging

logger = logging.getLogger("train")
SCHEDULES = {"cosine": 0.0, "step": 0.1, "none": 0.2}


def str2bool(v):
    return v.lower() in ("yes", "true", "t", "1")


def get_parser():
    p = argparse.ArgumentParser()
    p.add_argument("-lr", "--learning_rate", default="3e-4", type=float)
    p.add_argument("--sizes", nargs="+", type=int, default=[64, 64])
    p.add_argument("--schedule", choices=list(SCHEDULES), default="none")
    p.add_argument("--augment", type=str2bool, default=False)
    group = p.add_mutually_exclusive_group()
    group.add_argument("--amp", dest="amp", action="store_true")
    group.add_argument("--no-amp", dest="amp", action="store_false")
    p.set_defaults(amp=True)
    return p


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    args = get_parser().parse_args()
    logger.info("arguments: %s", vars(args))
    for epoch in range(3):
        loss = SCHEDULES[args.schedule] + len(args.sizes) / 10 + (not args.augment) + (not args.amp) + 1 / (epoch + 1)
        logger.info("epoch %d | train loss %.3f | valid loss %.3f | lr %.2e", epoch, loss / 2, loss, args.learning_rate)
