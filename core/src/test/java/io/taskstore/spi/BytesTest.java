// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

final class BytesTest {
  @Property
  void copyOf_anyBytes_roundTripThroughEveryAccessor(@ForAll byte[] content) throws IOException {
    Bytes bytes = Bytes.copyOf(content);

    assertThat(bytes.size()).isEqualTo(content.length);
    assertThat(bytes.toByteArray()).isEqualTo(content);
    assertThat(bytes.unsafeArray()).isEqualTo(content);
    assertThat(bytes.inputStream().readAllBytes()).isEqualTo(content);
    assertThat(bytes.asReadOnlyByteBuffer()).isEqualTo(ByteBuffer.wrap(content));
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    bytes.writeTo(out);
    assertThat(out.toByteArray()).isEqualTo(content);
    assertThat(bytes)
        .isEqualTo(Bytes.unsafeWrap(content.clone()))
        .hasSameHashCodeAs(Bytes.unsafeWrap(content.clone()));
  }

  @Test
  void copyOf_sourceChangedLater_isUnaffected() {
    byte[] source = {1, 2, 3};
    Bytes bytes = Bytes.copyOf(source);

    source[0] = 9;

    assertThat(bytes.toByteArray()).containsExactly(1, 2, 3);
  }

  @Test
  void toByteArray_resultChanged_isUnaffected() {
    Bytes bytes = Bytes.copyOf(new byte[] {1, 2, 3});

    bytes.toByteArray()[0] = 9;

    assertThat(bytes.toByteArray()).containsExactly(1, 2, 3);
    assertThat(bytes.toByteArray()).isNotSameAs(bytes.toByteArray());
  }

  @Test
  void asReadOnlyByteBuffer_write_isRefused() {
    ByteBuffer buffer = Bytes.copyOf(new byte[] {1}).asReadOnlyByteBuffer();

    assertThatExceptionOfType(ReadOnlyBufferException.class).isThrownBy(() -> buffer.put((byte) 9));
    assertThat(buffer.hasArray()).isFalse();
  }

  @Test
  void unsafeWrap_sharesTheArray() {
    byte[] array = {1};
    assertThat(Bytes.unsafeWrap(array).unsafeArray()).isSameAs(array);
  }

  @Test
  void equals_differentContent_differs() {
    assertThat(Bytes.copyOf(new byte[] {1})).isNotEqualTo(Bytes.copyOf(new byte[] {2}));
    assertThat(Bytes.EMPTY).isEqualTo(Bytes.copyOf(new byte[0])).isNotEqualTo(new byte[0]);
    assertThat(Bytes.EMPTY.size()).isZero();
  }

  @Test
  void toString_showsTheSizeOnly() {
    assertThat(Bytes.copyOf(new byte[] {42, 43})).hasToString("Bytes[2]");
  }

  @Test
  void factories_null_isRefused() {
    assertThatNullPointerException().isThrownBy(() -> Bytes.copyOf(Nulls.of(byte[].class)));
    assertThatNullPointerException().isThrownBy(() -> Bytes.unsafeWrap(Nulls.of(byte[].class)));
  }
}
