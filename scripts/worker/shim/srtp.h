// The part of libsrtp 3's interface that mediasoup-worker uses, on top of Debian's libsrtp 2: opaque policies, and
// protect/unprotect with separate input and output buffers. Everything else comes from libsrtp 2 unchanged.
#pragma once
#include <cstdint>
#include <cstring>
#include <srtp2/srtp.h>
#include <vector>

// Two codes that libsrtp 2 does not know; the worker only needs names for its table of messages.
#define srtp_err_status_buffer_small static_cast<srtp_err_status_t>(28)
#define srtp_err_status_cryptex_err static_cast<srtp_err_status_t>(29)

namespace weian_srtp3
{
	struct Policy
	{
		::srtp_policy_t policy{};
		std::vector<uint8_t> key; // Master key, then salt: libsrtp 2 wants them in one piece.

		Policy()                         = default;
		Policy(const Policy&)            = delete;
		Policy& operator=(const Policy&) = delete;

		~Policy()
		{
			// No copy of a call's key may stay in freed memory.
			volatile uint8_t* bytes = this->key.data();
			for (size_t i{ 0 }; i < this->key.size(); ++i)
			{
				bytes[i] = 0;
			}
		}
	};

	using InPlace = srtp_err_status_t (*)(srtp_t, void*, int*);

	// libsrtp 2 works in place, on a buffer that the caller has made large enough: copy the packet to the output first.
	// growth: how many bytes the operation may add, so that the output's capacity (*outLen on entry) is never passed.
	inline srtp_err_status_t transform(
	  InPlace operation, srtp_t session, const uint8_t* in, size_t inLen, uint8_t* out, size_t* outLen, size_t growth)
	{
		if (inLen + growth > *outLen)
		{
			return srtp_err_status_buffer_small;
		}
		if (out != in)
		{
			std::memmove(out, in, inLen);
		}

		int len        = static_cast<int>(inLen);
		const auto err = operation(session, out, &len);
		*outLen        = static_cast<size_t>(len);

		return err;
	}
} // namespace weian_srtp3

using weian_srtp3_policy_t = weian_srtp3::Policy*;

inline srtp_err_status_t srtp_policy_create(weian_srtp3_policy_t* policy)
{
	*policy = new weian_srtp3::Policy();
	return srtp_err_status_ok;
}

inline void srtp_policy_destroy(weian_srtp3_policy_t policy)
{
	delete policy;
}

inline srtp_err_status_t srtp_policy_set_ssrc(weian_srtp3_policy_t policy, srtp_ssrc_t ssrc)
{
	policy->policy.ssrc = ssrc;
	return srtp_err_status_ok;
}

inline srtp_err_status_t srtp_policy_set_profile(weian_srtp3_policy_t policy, srtp_profile_t profile)
{
	const auto err = srtp_crypto_policy_set_from_profile_for_rtp(&policy->policy.rtp, profile);
	if (err != srtp_err_status_ok)
	{
		return err;
	}
	return srtp_crypto_policy_set_from_profile_for_rtcp(&policy->policy.rtcp, profile);
}

// Master key identifiers are not used by WebRTC; a caller that passes one is refused rather than ignored.
inline srtp_err_status_t srtp_policy_add_key(
  weian_srtp3_policy_t policy,
  const uint8_t* key,
  size_t keyLen,
  const uint8_t* salt,
  size_t saltLen,
  const uint8_t* mki,
  size_t mkiLen)
{
	if (mki != nullptr || mkiLen != 0)
	{
		return srtp_err_status_bad_param;
	}
	policy->key.assign(key, key + keyLen);
	policy->key.insert(policy->key.end(), salt, salt + saltLen);
	policy->policy.key = policy->key.data();
	return srtp_err_status_ok;
}

inline srtp_err_status_t srtp_policy_set_allow_repeat_tx(weian_srtp3_policy_t policy, bool allow)
{
	policy->policy.allow_repeat_tx = allow;
	return srtp_err_status_ok;
}

inline srtp_err_status_t srtp_policy_set_window_size(weian_srtp3_policy_t policy, size_t size)
{
	policy->policy.window_size = size;
	return srtp_err_status_ok;
}

// libsrtp 2 copies what it needs from the policy.
inline srtp_err_status_t srtp_create(srtp_t* session, weian_srtp3_policy_t policy)
{
	return ::srtp_create(session, &policy->policy);
}

inline srtp_err_status_t srtp_protect(
  srtp_t session, const uint8_t* rtp, size_t rtpLen, uint8_t* srtp, size_t* srtpLen, size_t /*mkiIndex*/)
{
	return weian_srtp3::transform(::srtp_protect, session, rtp, rtpLen, srtp, srtpLen, SRTP_MAX_TRAILER_LEN);
}

inline srtp_err_status_t srtp_unprotect(
  srtp_t session, const uint8_t* srtp, size_t srtpLen, uint8_t* rtp, size_t* rtpLen)
{
	return weian_srtp3::transform(::srtp_unprotect, session, srtp, srtpLen, rtp, rtpLen, 0);
}

inline srtp_err_status_t srtp_protect_rtcp(
  srtp_t session, const uint8_t* rtcp, size_t rtcpLen, uint8_t* srtcp, size_t* srtcpLen, size_t /*mkiIndex*/)
{
	return weian_srtp3::transform(::srtp_protect_rtcp, session, rtcp, rtcpLen, srtcp, srtcpLen, SRTP_MAX_TRAILER_LEN + 4);
}

inline srtp_err_status_t srtp_unprotect_rtcp(
  srtp_t session, const uint8_t* srtcp, size_t srtcpLen, uint8_t* rtcp, size_t* rtcpLen)
{
	return weian_srtp3::transform(::srtp_unprotect_rtcp, session, srtcp, srtcpLen, rtcp, rtcpLen, 0);
}

inline srtp_err_status_t srtp_stream_remove(srtp_t session, uint32_t ssrc)
{
	return srtp_remove_stream(session, ssrc);
}

// From here on the worker's "srtp_policy_t" is the opaque one.
#define srtp_policy_t weian_srtp3_policy_t
