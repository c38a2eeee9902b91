package bakeoff;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.catalina.util.ServerInfo;

/** java bakeoff.Main virtual | threads [COUNT]: the services of CONTRACT.md on Tomcat and JDBC. */
public final class Main {
    /** Tomcat's own default. */
    private static final int THREADS = 200;
    private static final long STOP_MAX_MS = 5_000;
    /** What counts as the end: so long no request in progress. */
    private static final long QUIET_MS = 100;

    /** Kept, because loggers are otherwise collected with their level. */
    private static final Logger TOMCAT = Logger.getLogger("org.apache");

    public static void main(String[] arguments) {
        try {
            run(arguments);
        } catch (Throwable e) {
            Throwable cause = e;
            while (cause.getCause() != null) cause = cause.getCause();
            String message = String.valueOf(e.getMessage());
            System.err.println("error: " + (cause == e ? message : message + ": " + cause.getMessage()));
            Runtime.getRuntime().halt(2);
        }
    }

    private static void run(String[] arguments) throws Exception {
        boolean virtual = arguments.length == 1 && arguments[0].equals("virtual");
        if (!virtual && !(arguments.length > 0 && arguments[0].equals("threads"))) {
            throw new IllegalArgumentException("usage: server virtual | threads [COUNT]");
        }
        Config config = Config.fromEnvironment();
        // Before the first virtual thread. The pool of platform threads needs no such number.
        System.setProperty("jdk.virtualThreadScheduler.parallelism", String.valueOf(config.workers()));
        int count = arguments.length > 1 ? Integer.parseInt(arguments[1]) : THREADS;
        ExecutorService requests = virtual ? virtualThreads() : Executors.newFixedThreadPool(count);
        // A request that waits for its lookups must not hold the threads that they need.
        ExecutorService tasks = virtual ? requests : Executors.newFixedThreadPool(Math.min(config.pool(), count));

        Dataset data = new Dataset(config.seed());
        String runtime = "Java " + Runtime.version().toString().split("\\+")[0] + ", Tomcat " + ServerInfo.getServerNumber() + ", "
            + System.getProperty("bakeoff.flags", "no flags");
        String name = virtual ? "java-virtual" : "java-threads";
        Service service = new Service(name, runtime, config, data, store(config, data), tasks);

        TOMCAT.setLevel(Level.OFF);
        Tomcat tomcat = new Tomcat();
        Path folder = Files.createTempDirectory("bakeoff-java-");
        tomcat.setBaseDir(folder.toString());
        Connector connector = connector(config, requests);
        tomcat.setConnector(connector);
        Context context = tomcat.addContext("", null);
        Tomcat.addServlet(context, "service", service);
        context.addServletMappingDecoded("/", "service");
        try {
            tomcat.start();
        } catch (Exception e) {
            throw new Exception("cannot listen at " + config.address() + ":" + config.port(), e);
        } finally {
            delete(folder);
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(connector, service)));
        String host = config.address().contains(":") ? "[" + config.address() + "]" : config.address();
        System.out.println("listening " + host + ":" + connector.getLocalPort());
    }

    /** Tomcat makes its folder for JSP pages and uploads, and none of the services has any. */
    private static void delete(Path folder) throws IOException {
        try (Stream<Path> below = Files.walk(folder)) {
            for (Path path : below.sorted(Comparator.reverseOrder()).toList()) Files.delete(path);
        }
    }

    /** By reflection, because Debian 12 compiles with 17; what runs it is 21 or newer. */
    private static ExecutorService virtualThreads() throws ReflectiveOperationException {
        return (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
    }

    private static Store store(Config config, Dataset data) throws Exception {
        if (config.databaseUrl() == null) return new Memory(data);
        try {
            return new Postgres(config.databaseUrl(), config.pool());
        } catch (Exception e) {
            throw new Exception("cannot use the database of BAKEOFF_DATABASE_URL", e);
        }
    }

    private static Connector connector(Config config, ExecutorService requests) {
        Connector connector = new Connector();
        connector.setPort(config.port());
        connector.setThrowOnFailure(true);
        connector.setProperty("address", config.address());
        connector.setProperty("acceptCount", "4096");
        connector.setProperty("maxConnections", "20000");
        connector.setProperty("maxKeepAliveRequests", "-1");
        connector.setProperty("connectionTimeout", "10000");
        connector.setProperty("keepAliveTimeout", "75000");
        connector.setProperty("disableUploadTimeout", "false");
        connector.setProperty("connectionUploadTimeout", "10000");
        connector.setProperty("maxHttpRequestHeaderSize", "16384");
        connector.setProperty("maxSwallowSize", String.valueOf(1 << 20));
        // A body that is too long is refused before its client is told to send it.
        connector.setProperty("continueResponseTiming", "onRead");
        connector.getProtocolHandler().setExecutor(requests);
        return connector;
    }

    /** Finishes the requests in progress, and exits with 0 where the JVM would say that a signal ended it. */
    private static void stop(Connector connector, Service service) {
        service.stopping = true;
        connector.getProtocolHandler().closeServerSocketGraceful();
        long start = System.nanoTime();
        long quiet = 0;
        try {
            while (quiet < QUIET_MS && (System.nanoTime() - start) / 1_000_000 < STOP_MAX_MS) {
                Thread.sleep(10);
                quiet = service.active.get() == 0 ? quiet + 10 : 0;
            }
        } catch (InterruptedException e) {
            // It ends at once.
        }
        Runtime.getRuntime().halt(0);
    }
}
