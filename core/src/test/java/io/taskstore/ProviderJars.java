// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageBackendProvider;
import java.io.IOException;
import java.io.OutputStream;
import java.io.StringWriter;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;

/**
 * Jars with providers, each compiled for its jar, as those of backends by others. Public because
 * they call {@link #backend}.
 */
public final class ProviderJars {
  private static final String SERVICES = "META-INF/services/";

  private static final String SOURCE =
      """
      package com.example;

      import io.taskstore.spi.*;
      import java.util.*;

      public final class NAME implements StorageBackendProvider {
        public NAME() {
          CONSTRUCTOR
        }

        @Override
        public Set<String> schemes() {
          return Set.of("SCHEME");
        }

        @Override
        public String example() {
          return schemes().iterator().next() + ":";
        }

        @Override
        public List<Setting<?>> settings() {
          return List.of();
        }

        @Override
        public StorageBackend open(BackendConfiguration configuration) {
          return io.taskstore.ProviderJars.backend();
        }
      }
      """;

  private final Path directory;

  ProviderJars(Path directory) {
    this.directory = directory;
  }

  /** What the providers open. */
  public static StorageBackend backend() {
    return new MapBackend();
  }

  /** A jar with the provider {@code com.example.NAME}. */
  Path provider(String jar, String name, String scheme) throws IOException {
    return provider(jar, name, scheme, "");
  }

  /** A jar with a provider that cannot be made. */
  Path broken(String jar, String name, String scheme) throws IOException {
    return provider(jar, name, scheme, "throw new IllegalStateException(\"no roof\");");
  }

  private Path provider(String jar, String name, String scheme, String constructor)
      throws IOException {
    Path classes = Files.createTempDirectory(directory, "classes");
    compile(
        name,
        SOURCE.replace("NAME", name).replace("SCHEME", scheme).replace("CONSTRUCTOR", constructor),
        classes);
    String entry = "com/example/" + name + ".class";
    return write(jar, name, entry, Files.readAllBytes(classes.resolve(entry)));
  }

  /** A jar that promises a provider and has none. */
  Path empty(String jar, String name) throws IOException {
    return write(jar, name, "LICENSE", new byte[0]);
  }

  private Path write(String jar, String provider, String entry, byte[] content) throws IOException {
    Path file = directory.resolve(jar);
    try (OutputStream out = Files.newOutputStream(file);
        JarOutputStream entries = new JarOutputStream(out)) {
      entries.putNextEntry(new JarEntry(SERVICES + StorageBackendProvider.class.getName()));
      entries.write(("com.example." + provider + "\n").getBytes(StandardCharsets.UTF_8));
      entries.putNextEntry(new JarEntry(entry));
      entries.write(content);
    }
    return file;
  }

  private static void compile(String name, String code, Path output) {
    JavaFileObject source =
        new SimpleJavaFileObject(
            URI.create("string:///com/example/" + name + ".java"), JavaFileObject.Kind.SOURCE) {
          @Override
          public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return code;
          }
        };
    StringWriter messages = new StringWriter();
    List<String> options =
        List.of(
            "-d",
            output.toString(),
            "-classpath",
            System.getProperty("java.class.path"),
            "-proc:none");
    boolean compiled =
        ToolProvider.getSystemJavaCompiler()
            .getTask(messages, null, null, options, null, List.of(source))
            .call();
    assertThat(compiled).as("%s%n%s", messages, code).isTrue();
  }

  /** Calls something with the jars on the class path of this thread. */
  static void with(List<Path> jars, Runnable call) throws IOException {
    URL[] urls = new URL[jars.size()];
    for (int i = 0; i < urls.length; i++) {
      urls[i] = jars.get(i).toUri().toURL();
    }
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    try (URLClassLoader loader = new URLClassLoader(urls, TaskStores.class.getClassLoader())) {
      thread.setContextClassLoader(loader);
      call.run();
    } finally {
      thread.setContextClassLoader(before);
    }
  }
}
