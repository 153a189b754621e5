import com.sun.net.httpserver.HttpServer;
import java.net.*;
import java.nio.charset.StandardCharsets;

/** Listen http|socket|udp PORT [HOST]: an HTTP server, a TCP server, or one that sends every datagram back. */
public class Listen {
  public static void main(String[] words) throws Exception {
    int port = Integer.parseInt(words[1]);
    String host = words.length > 2 ? words[2] : null;
    byte[] text = "ok\n".getBytes(StandardCharsets.US_ASCII);
    switch (words[0]) {
      case "http":
        HttpServer server = HttpServer.create(host == null ? new InetSocketAddress(port) : new InetSocketAddress(host, port), 0);
        server.createContext("/", exchange -> {
          exchange.sendResponseHeaders(200, text.length);
          exchange.getResponseBody().write(text);
          exchange.close();
        });
        server.start();
        break;
      case "socket":
        ServerSocket listener = host == null ? new ServerSocket(port) : new ServerSocket(port, 50, InetAddress.getByName(host));
        byte[] answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n".getBytes(StandardCharsets.US_ASCII);
        while (true) {
          try (Socket client = listener.accept()) {
            client.getInputStream().read(new byte[4096]);
            client.getOutputStream().write(answer);
          }
        }
      default:
        DatagramSocket receiver = host == null ? new DatagramSocket(port) : new DatagramSocket(port, InetAddress.getByName(host));
        while (true) {
          DatagramPacket datagram = new DatagramPacket(new byte[65536], 65536);
          receiver.receive(datagram);
          receiver.send(datagram);
        }
    }
  }
}
