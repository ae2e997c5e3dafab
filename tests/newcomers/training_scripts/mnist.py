"""A small digits classifier."""
from __future__ import print_function
import argparse
import random


def train(args, rng, epoch):
    for batch in range(0, 300, 100):
        if batch % args.log_interval == 0:
            print('Train Epoch: {} [{}/{} ({:.0f}%)]\tLoss: {:.6f}'.format(
                epoch, batch, 300, 100. * batch / 300, 2.0 / (epoch + batch / 300) + rng.random() * 0.01))


def test(args, rng, epoch):
    correct = int(100 - 10 / epoch - 100 * abs(args.lr - 0.1))
    test_loss = 1 / epoch + abs(args.lr - 0.1)
    print('\nTest set: Average loss: {:.4f}, Accuracy: {}/{} ({:.0f}%)\n'.format(
        test_loss, correct, 100, 100. * correct / 100))


def main():
    parser = argparse.ArgumentParser(description='digits')
    parser.add_argument('--batch-size', type=int, default=64, metavar='N',
                        help='input batch size for training (default: 64)')
    parser.add_argument('--epochs', type=int, default=3, metavar='N')
    parser.add_argument('--lr', type=float, default=1.0, metavar='LR', help='learning rate (default: %(default)s)')
    parser.add_argument('--gamma', type=float, default=0.7, metavar='M')
    parser.add_argument('--no-cuda', action='store_true', help='disables CUDA training')
    parser.add_argument('--seed', type=int, default=1, metavar='S')
    parser.add_argument('--log-interval', type=int, default=100, metavar='N')
    args = parser.parse_args()
    rng = random.Random(args.seed)
    for epoch in range(1, args.epochs + 1):
        train(args, rng, epoch)
        test(args, rng, epoch)


if __name__ == '__main__':
    main()
