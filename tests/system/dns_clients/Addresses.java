import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.stream.Collectors;

/** InetAddress; which family it asks for is the virtual machine's option. Arguments and output: ../test_dns_clients.py */
class Addresses {
  public static void main(String[] arguments) {
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      try {
        System.out.println(Arrays.stream(InetAddress.getAllByName(arguments[i + 1])).map(InetAddress::getHostAddress).collect(Collectors.joining(",")));
      } catch (UnknownHostException e) {
        System.out.println("none");
      }
    }
  }
}
