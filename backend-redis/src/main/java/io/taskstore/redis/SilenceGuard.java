// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * Closes a connection on which something was sent and nothing has come back for a while, so that
 * the client connects again, with a Sentinel or a Cluster to where the master is now. A host that
 * has lost its power, or a firewall that has forgotten a connection, sends no sign of it, and TCP
 * would go on repeating for a quarter of an hour.
 *
 * <p>What begins to run with the first request that follows an answer; an answer to an earlier
 * request counts as a sign of life. So a connection may stay for one more request than needed.
 */
final class SilenceGuard extends ChannelDuplexHandler {
  private final long patienceNanos;

  // All of it is used by the event loop alone.
  private boolean isWaiting;
  private boolean isScheduled;
  private long since;

  SilenceGuard(Duration patience) {
    this.patienceNanos = patience.toNanos();
  }

  @Override
  public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
    if (!isWaiting) {
      isWaiting = true;
      since = System.nanoTime();
      if (!isScheduled) {
        schedule(context, patienceNanos);
      }
    }
    var unused = context.write(message, promise);
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    isWaiting = false;
    context.fireChannelRead(message);
  }

  /** Not for each request anew: once in the time of patience is enough. */
  private void schedule(ChannelHandlerContext context, long nanos) {
    isScheduled = true;
    var unused = context.executor().schedule(() -> look(context), nanos, TimeUnit.NANOSECONDS);
  }

  private void look(ChannelHandlerContext context) {
    isScheduled = false;
    if (!isWaiting || !context.channel().isOpen()) {
      return;
    }
    long left = patienceNanos - (System.nanoTime() - since);
    if (left <= 0) {
      var unused = context.close();
    } else {
      schedule(context, left);
    }
  }
}
