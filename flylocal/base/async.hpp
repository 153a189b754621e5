#pragma once

#include <boost/asio.hpp>
#include <chrono>

/// The coroutine vocabulary of all modules. A cancelled coroutine is unwound by an exception (operation_aborted) at its
/// next co_await, so loops need not ask. In GCC 12 an awaited value must be named before it decides a `break` or
/// `co_return` inside of a loop: otherwise the frame comes out broken. Everything asynchronous runs on an io_context that one thread
/// runs, so objects need no locks; the executor's concrete type spares the hot paths a virtual call.
namespace flylocal {

namespace asio = boost::asio;

using Executor = asio::io_context::executor_type;

/// A coroutine on one of our io_contexts.
template <class T = void>
using Task = asio::awaitable<T, Executor>;

/// Awaits an operation and gives its error code as a value: `auto [error, n] = co_await s.async_read_some(b, as_result);`
inline constexpr asio::as_tuple_t<asio::use_awaitable_t<Executor>> as_result{asio::use_awaitable_t<Executor>{}};
/// Awaits another Task or an operation whose failure is an exception.
inline constexpr asio::use_awaitable_t<Executor> use_task{};

using Timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using TcpAcceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
using UdpSocket = asio::basic_datagram_socket<asio::ip::udp, Executor>;
using LocalSocket = asio::basic_stream_socket<asio::local::stream_protocol, Executor>;
using LocalAcceptor = asio::basic_socket_acceptor<asio::local::stream_protocol, Executor>;
using Descriptor = asio::posix::basic_stream_descriptor<Executor>;

/// Waits for `duration`; ends early, without an exception, when the coroutine is cancelled.
Task<> sleep_for(std::chrono::steady_clock::duration duration);

}  // namespace flylocal
